import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchesGlob } from './glob.js';

describe('patterns', () => {
  it.each([
    ['*', '', true],
    ['h?llo', 'hallo', true],
    ['h*llo', 'hllo', true],
    ['h[ae]llo', 'hillo', false],
    ['h[^e]llo', 'hello', false],
    ['h[a-b]llo', 'hbllo', true],
    ['h[b-a]llo', 'hbllo', true],
    ['\\*', '*', true],
    ['\\*', 'a', false],
    ['a*b*c', 'aXbYc', true],
    ['a*b*c', 'aXbY', false],
    ['[', 'x', false],
    ['[a', 'a', true],
    ['', 'a', false],
    ['a\\', 'a\\', true],
  ])('%s on "%s": %s', (pattern, text, expected) => {
    expect(matchesGlob(pattern, text)).toBe(expected);
  });

  it('agree with regular expressions', () => {
    const part = fc.constantFrom('a', 'b', '*', '?');
    fc.assert(
      fc.property(fc.array(part, { maxLength: 8 }), fc.stringMatching(/^[abc]{0,8}$/), (parts, text) => {
        const regex = new RegExp(`^${parts.join('').replaceAll('?', '.').replaceAll('*', '.*')}$`);
        expect(matchesGlob(parts.join(''), text)).toBe(regex.test(text));
      }),
    );
  });

  it('take no exponential time', () => {
    expect(matchesGlob('*a'.repeat(30), `${'a'.repeat(10_000)}b`)).toBe(false);
  });
});
