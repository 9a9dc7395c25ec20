import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  connectFailuresMax,
  decide,
  retryDelayMs,
  type LeaseSituation,
  type LeaseView,
} from './lease-policy.js';

const lease = (change: Partial<LeaseView> = {}): LeaseView => ({
  id: 'a',
  slabs: 4,
  endsAtMs: 600_000,
  status: 'open',
  notBeforeMs: 0,
  connectFailures: 0,
  ...change,
});

const situation = (change: Partial<LeaseSituation> = {}): LeaseSituation => ({
  nowMs: 0,
  wantedSlabs: 4,
  leaseMs: 600_000,
  leases: [lease()],
  requestUnderWay: false,
  requestNotBeforeMs: 0,
  ...change,
});

describe('what to do about leases', () => {
  const cases: [string, LeaseSituation, ReturnType<typeof decide>][] = [
    ['nothing, when all is well', situation(), []],
    ['request what is missing', situation({ wantedSlabs: 6 }), [{ kind: 'request', slabs: 2 }]],
    ['request once', situation({ leases: [], requestUnderWay: true }), []],
    ['wait after a failed request', situation({ leases: [], requestNotBeforeMs: 1 }), []],
    ['extend to the full time', situation({ nowMs: 450_000 }), [{ kind: 'extend', id: 'a', seconds: 450 }]],
    [
      'wait after a failed extension',
      situation({ nowMs: 450_000, leases: [lease({ notBeforeMs: 450_001 })] }),
      [],
    ],
    ['leave a busy lease alone', situation({ nowMs: 590_000, leases: [lease({ status: 'busy' })] }), []],
    ['connect again', situation({ leases: [lease({ status: 'lost' })] }), [{ kind: 'connect', id: 'a' }]],
    ['wait to connect again', situation({ leases: [lease({ status: 'lost', notBeforeMs: 1 })] }), []],
    [
      'give up a producer that is gone, and replace it',
      situation({ leases: [lease({ status: 'lost', connectFailures: connectFailuresMax })] }),
      [
        { kind: 'return', id: 'a' },
        { kind: 'request', slabs: 4 },
      ],
    ],
    [
      'replace what was revoked',
      situation({ leases: [lease({ status: 'revoked' })] }),
      [
        { kind: 'return', id: 'a' },
        { kind: 'request', slabs: 4 },
      ],
    ],
    [
      'give back what is too much',
      situation({
        wantedSlabs: 5,
        leases: [lease(), lease({ id: 'b', slabs: 3 }), lease({ id: 'c', slabs: 2 })],
      }),
      [{ kind: 'return', id: 'a' }],
    ],
    [
      'let a lease end that is larger than what is too much',
      situation({ nowMs: 450_000, wantedSlabs: 3 }),
      [],
    ],
    ['forget what is over', situation({ nowMs: 600_000, wantedSlabs: 0 }), [{ kind: 'return', id: 'a' }]],
  ];
  it.each(cases)('%s', (_, given, actions) => {
    expect(decide(given)).toEqual(actions);
  });

  it('never holds or asks for more than was wanted, and does one thing a lease', () => {
    const view = fc.record({
      id: fc.uuid(),
      slabs: fc.integer({ min: 1, max: 4 }),
      endsAtMs: fc.nat({ max: 1_000_000 }),
      status: fc.constantFrom('open' as const, 'lost' as const, 'busy' as const, 'revoked' as const),
      notBeforeMs: fc.nat({ max: 1_000_000 }),
      connectFailures: fc.nat({ max: 5 }),
    });
    fc.assert(
      fc.property(
        fc.array(view, { maxLength: 8 }),
        fc.nat({ max: 30 }),
        fc.nat({ max: 1_000_000 }),
        (leases, wantedSlabs, nowMs) => {
          const actions = decide(situation({ leases, wantedSlabs, nowMs }));
          const ids = actions.flatMap((action) => (action.kind === 'request' ? [] : [action.id]));
          expect(new Set(ids).size).toBe(ids.length);
          const gone = new Set(actions.flatMap((action) => (action.kind === 'return' ? [action.id] : [])));
          const held = leases.filter(({ id }) => !gone.has(id)).reduce((sum, { slabs }) => sum + slabs, 0);
          const asked = actions.reduce(
            (sum, action) => sum + (action.kind === 'request' ? action.slabs : 0),
            0,
          );
          expect(asked).toBe(Math.max(0, wantedSlabs - held));
          const isUseful = (each: LeaseView): boolean => each.status === 'open' && each.endsAtMs > nowMs;
          const shed = leases.filter((each) => gone.has(each.id) && isUseful(each));
          expect(shed.length === 0 || held >= wantedSlabs).toBe(true);
        },
      ),
    );
  });
});

describe('the pause after failures', () => {
  it('doubles up to half a minute, and is spread', () => {
    expect([1, 2, 3, 8, 1000].map((failures) => retryDelayMs(failures, 1))).toEqual([
      250, 500, 1000, 30_000, 30_000,
    ]);
    expect(retryDelayMs(1, 0)).toBe(125);
  });
});
