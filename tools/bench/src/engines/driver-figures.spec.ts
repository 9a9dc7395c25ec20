import { describe, expect, it } from 'vitest';
import { extentRows, shareChecks, shareRows, timeRows } from './driver-figures.js';

const walked = { engine: 'driver-irq', fileSystem: 'xfs', depth: 6, chains: 64 };
const lines = (...objects: object[]): string =>
  ['a turn of the spinner', ...objects.map((one) => JSON.stringify(one))].join('\n');

describe('figures of the driver', () => {
  it('are rows', () => {
    expect(timeRows('6.12', lines({ ...walked, nsPerHop: 900, low: 800, high: 1000, hops: 96 }))).toEqual([
      {
        name: 'ns per hop, depth 6 ×64, xfs on null_blk, Linux 6.12',
        contender: 'driver-irq',
        ns_per_hop: 900,
        ns_per_hop_min: 800,
        ns_per_hop_max: 1000,
      },
    ]);
    expect(extentRows(lines({ extents: 4096, nsPerLookup: 48.8 }))).toMatchObject([
      { contender: '4096 extents', ns_per_lookup: 48.8 },
    ]);
  });

  it('refuse what is no figure', () => {
    expect(() => timeRows('6.12', lines({ ...walked, nsPerHop: -1, low: 0, high: 0 }))).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_INTERNAL' }),
    );
  });

  it('say whether a neighbour keeps its share, by the worst of the modes that have a budget', () => {
    const rows = (...shares: (readonly [budget: number, neighbourShare: number])[]) =>
      shareRows(
        '6.12',
        '/dev/nullb0',
        lines(
          ...shares.map(([budget, neighbourShare]) => ({ ...walked, budget, neighbourShare, hopsPerS: 1 })),
        ),
      );
    expect(shareChecks(rows([0, 0.15], [15_000, 0.5], [15_000, 0.46]))).toEqual({
      neighbour_share_with_budget: true,
    });
    expect(shareChecks(rows([15_000, 0.5], [15_000, 0.44]))).toEqual({ neighbour_share_with_budget: false });
    expect(shareChecks(rows([0, 0.5]))).toEqual({});
  });
});
