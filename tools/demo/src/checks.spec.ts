import { describe, expect, it } from 'vitest';
import { makeChecks } from './checks.js';
import { passed } from './result.js';
import { consumerFigures } from './testing/figures.js';

const facts = { consumer: consumerFigures(), bpfUnavailable: undefined };

describe('checks', () => {
  it('pass when everything was shown', () => {
    expect(passed(makeChecks(facts))).toBe(true);
  });

  it('skip what cannot run here, which is no failure', () => {
    const checks = makeChecks({
      ...facts,
      consumer: { ...facts.consumer, comparison: undefined },
      bpfUnavailable: 'no root',
    });
    expect(checks['engines_equal']).toEqual({ skipped: 'no root' });
    expect(passed(checks)).toBe(true);
  });

  it.each([
    ['reads_remote', { ...facts, consumer: consumerFigures({ remote: 0 }) }],
    ['values_correct', { ...facts, consumer: { ...facts.consumer, valuesWrong: 1 } }],
    ['values_correct', { ...facts, consumer: { ...facts.consumer, valuesChecked: 0 } }],
    ['engines_equal', { ...facts, consumer: { ...facts.consumer, lookups: { pread: 5 } } }],
    ['leases_granted', { ...facts, consumer: { ...facts.consumer, leases: 0 } }],
    ['price_paid', { ...facts, consumer: { ...facts.consumer, charged: 0 } }],
  ])('%s can fail', (name, broken) => {
    const checks = makeChecks(broken);
    expect(Object.entries(checks).filter(([, check]) => check === false)).toEqual([[name, false]]);
    expect(passed(checks)).toBe(false);
  });
});
