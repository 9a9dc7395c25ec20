import fc from 'fast-check';
import { expect, it } from 'vitest';
import { heldSlabs, nextReclaim, type HeldLease, type ReclaimState } from './reclaim-policy.js';

const lease = (order: number, slabs: number): HeldLease => ({ leaseId: Buffer.of(order), order, slabs });
const graceMs = 1000;
const at = (
  nowMs: number,
  leases: readonly HeldLease[],
  allowedSlabs: number,
  isEmergency = false,
): Parameters<typeof nextReclaim>[1] => ({ nowMs, leases, allowedSlabs, isEmergency });
const told = (decision: ReturnType<typeof nextReclaim>): string[] =>
  decision.orders.map(({ kind, leaseId, slabs }) => `${kind} ${leaseId[0]!}: ${slabs}`);

it('asks each for its share, waits, and takes what was not given, the youngest first', () => {
  const leases = [lease(0, 8), lease(1, 4), lease(2, 4)];
  const asked = nextReclaim(undefined, at(0, leases, 12), graceMs);
  expect(told(asked)).toEqual(['ask 0: 2', 'ask 1: 1', 'ask 2: 1']);
  expect(nextReclaim(asked.state, at(500, leases, 12), graceMs).orders).toEqual([]);
  // The first gave its share, the others nothing.
  const left = [lease(0, 6), lease(1, 4), lease(2, 4)];
  expect(told(nextReclaim(asked.state, at(1000, left, 12), graceMs))).toEqual(['take 2: 1', 'take 1: 1']);
});

it('takes only what is still too much', () => {
  const leases = [lease(0, 4), lease(1, 4)];
  const { state } = nextReclaim(undefined, at(0, leases, 4), graceMs);
  // Memory came back meanwhile.
  expect(told(nextReclaim(state, at(1000, leases, 7), graceMs))).toEqual(['take 1: 1']);
  expect(nextReclaim(state, at(1000, leases, 8), graceMs)).toEqual({ state: undefined, orders: [] });
});

it('asks for more when more is needed, by the same deadline', () => {
  const leases = [lease(0, 4), lease(1, 4)];
  const { state } = nextReclaim(undefined, at(0, leases, 6), graceMs);
  const more = nextReclaim(state, at(400, leases, 2), graceMs);
  expect(more.orders).toEqual([
    { kind: 'ask', leaseId: Buffer.of(0), slabs: 3, graceMs: 600 },
    { kind: 'ask', leaseId: Buffer.of(1), slabs: 3, graceMs: 600 },
  ]);
  expect(more.state?.deadlineMs).toBe(1000);
});

it('takes all at once in an emergency, and the oldest promise last', () => {
  const leases = [lease(0, 4), lease(7, 4), lease(3, 4)];
  expect(told(nextReclaim(undefined, at(0, leases, 3, true), graceMs))).toEqual([
    'take 7: 4',
    'take 3: 4',
    'take 0: 1',
  ]);
});

it('always ends within the grace with what is allowed, and never takes more', () => {
  const anyLeases = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 12 });
  const anyStep = fc.record({ allowed: fc.nat(200), gives: fc.nat(5), isEmergency: fc.boolean() });
  fc.assert(
    fc.property(anyLeases, fc.array(anyStep, { minLength: 1, maxLength: 30 }), (sizes, steps) => {
      const held = new Map(sizes.map((slabs, order) => [order, slabs]));
      const leases = (): HeldLease[] =>
        [...held].filter(([, slabs]) => slabs > 0).map(([o, s]) => lease(o, s));
      let state: ReclaimState | undefined;
      let overSinceMs: number | undefined;
      steps.forEach(({ allowed, gives, isEmergency }, index) => {
        const nowMs = index * 100;
        const before = heldSlabs(leases());
        const decision = nextReclaim(state, at(nowMs, leases(), allowed, isEmergency), graceMs);
        state = decision.state;
        const asked = decision.orders.filter(({ kind }) => kind === 'ask');
        if (asked.length > 0) expect(asked.reduce((sum, { slabs }) => sum + slabs, 0)).toBe(before - allowed);
        for (const { kind, leaseId, slabs } of decision.orders) {
          const order = leaseId[0]!;
          expect(slabs).toBeLessThanOrEqual(held.get(order)!);
          if (kind === 'take') held.set(order, held.get(order)! - slabs);
          else held.set(order, held.get(order)! - Math.min(gives, slabs));
        }
        const after = heldSlabs(leases());
        if (isEmergency) expect(after).toBe(Math.min(before, allowed));
        if (decision.orders.some(({ kind }) => kind === 'take')) expect(after).toBe(allowed);
        overSinceMs = after > allowed ? (overSinceMs ?? nowMs) : undefined;
        if (overSinceMs !== undefined) expect(nowMs - overSinceMs).toBeLessThanOrEqual(graceMs);
      });
    }),
  );
});
