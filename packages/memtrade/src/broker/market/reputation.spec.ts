import { describe, expect, it } from 'vitest';
import { complainersMax, complainersMin, Reputation } from './reputation.js';

describe('what consumers say of producers', () => {
  it('spares whoever complains, and nobody else', () => {
    const reputation = new Reputation();
    reputation.complain('a', 'p');
    expect(reputation.isAvoided('a', 'p')).toBe(true);
    expect(reputation.isAvoided('b', 'p')).toBe(false);
    expect(reputation.isAvoided('a', 'q')).toBe(false);
  });

  it('makes a producer doubtful once several complain, however often one does', () => {
    const reputation = new Reputation();
    for (let times = 0; times < 2 * complainersMin; times++) reputation.complain('a', 'p');
    expect(reputation.isDoubtful('p')).toBe(false);
    for (let index = 1; index < complainersMin; index++) reputation.complain(`other ${index}`, 'p');
    expect(reputation.isDoubtful('p')).toBe(true);
    expect(reputation.isDoubtful('q')).toBe(false);
  });

  it('remembers so many of a producer, the newest', () => {
    const reputation = new Reputation();
    for (let index = 0; index <= complainersMax; index++) reputation.complain(`c${index}`, 'p');
    expect(reputation.isAvoided('c0', 'p')).toBe(false);
    expect(reputation.isAvoided(`c${complainersMax}`, 'p')).toBe(true);
  });
});
