import { describe, expect, it } from 'vitest';
import { guestPlan, ratioPoint } from './guest-plan.js';
import { hostPlan } from './host-plan.js';
import { hostRow } from './host.js';
import { guestRows } from './guest-rows.js';
import { enginePlots } from './plots.js';
import { project } from './projection.js';
import { toSvg } from '../report/svg.js';

const wishes = { rounds: undefined, windowSeconds: undefined, only: undefined };
const count = (engine: string, instructionsPerHop: number, depth = 6) => ({
  engine,
  fileSystem: 'ext4',
  depth,
  chains: 16,
  instructionsPerHop,
  hops: 960,
});

describe('plans', () => {
  it.each([true, false])('have the point of the ratios, quick: %s', (quick) => {
    for (const { depths, chains } of [guestPlan({ quick, ...wishes }), hostPlan({ quick, ...wishes })]) {
      expect(depths).toContain(ratioPoint.depth);
      expect(chains).toContain(ratioPoint.chains);
    }
    expect(guestPlan({ quick, ...wishes, rounds: 7 }).windows).toBe(7);
    expect(hostPlan({ quick, rounds: 7, windowSeconds: 0.5 })).toMatchObject({ rounds: 7, window_s: 0.5 });
  });

  it('have the parts that are asked for', () => {
    const parts = (only?: string[]): readonly string[] => guestPlan({ quick: true, ...wishes, only }).parts;
    expect(parts()).toEqual(['ring', 'driver', 'null-block', 'fairness', 'extents']);
    expect(parts(['null', 'fair'])).toEqual(['null-block', 'fairness']);
    expect(() => parts(['lmdb'])).toThrow(expect.objectContaining({ code: 'EXOPOOL_USAGE' }));
  });
});

describe('figures', () => {
  it('of a batch follow from the median rate', () => {
    const point = { disk: 'zram', temperature: 'cold', depth: 6, chains: 16 } as const;
    const rounds = [100, 300, 200].map((batches) => ({ batches, seconds: 1 }));
    expect(hostRow(point, 'pread', 6, rounds)).toEqual({
      name: 'lookups, cold, zram, depth 6 ×16',
      contender: 'pread',
      ops_per_s: 3200,
      ops_per_s_min: 1600,
      ops_per_s_max: 4800,
      us_per_batch: 5000,
      hops_per_s: 19_200,
    });
  });

  it("on the papers' device are the papers' own for pread", () => {
    const pread = count('pread', 16_000, 10);
    expect(project(pread, pread).latencyUs).toBeCloseTo(62.72, 2);
    expect(project(count('driver-irq', 1000, 10), pread).latencyUs).toBeCloseTo(34.145, 2);
    expect(project(count('x', 8000), pread).iops).toBeCloseTo(2 * project(pread, pread).iops);
    const rows = guestRows({ kernel: '7.2', counted: [pread, count('nvme-bpf', 5000)] });
    expect(rows.map(({ projected_latency_us }) => projected_latency_us === undefined)).toEqual([false, true]);
  });

  it('are drawn beside the published ones', async () => {
    expect(enginePlots([{ kernel: '7.2', counted: [] }])).toEqual([]);
    const counted = [1, 6].flatMap((depth) => [
      count('pread', 16_000, depth),
      count('nvme-bpf', 5000, depth),
    ]);
    const plots = enginePlots([{ kernel: '7.2', counted }]);
    expect(plots.map(({ name }) => name)).toEqual(['speed-up-by-depth', 'projected-latency']);
    for (const { spec } of plots) {
      const svg = await toSvg(spec);
      expect(svg).toContain('nvme-bpf ×16');
      expect(svg).toContain('paper');
    }
  });
});
