/** The outcome of a run as one value, and as the JSON that every suite of exopool writes. */
import { arch, cpus, release, totalmem } from 'node:os';
import type { EngineComparison } from './engine-comparison.js';
import { redisWindows, type ModeFigures, type ModePair, type RedisFigures } from './messages.js';
import type { Disk } from './schedule.js';
import { median, tiers } from './statistics.js';

/** The result of a check. A skipped check has a reason, and neither passes nor fails. */
export type Check = boolean | { readonly skipped: string };

export interface DemoResult {
  readonly data: { readonly name: string; readonly entries: number; readonly bytes: number };
  readonly engine: string;
  readonly cacheBytes: number;
  readonly leasedBytes: number;
  readonly disks: Readonly<Record<Disk, ModePair>>;
  /** Reason why there are no figures on a limited disk. */
  readonly limitedSkipped: string | undefined;
  readonly comparison: EngineComparison | undefined;
  /** Lookups in table files, by engine. */
  readonly lookups: Readonly<Record<string, number>>;
  readonly market: { readonly leases: number; readonly price: number; readonly charged: number };
  /** Undefined if Redis could not run; `redisSkipped` has the reason. */
  readonly redis: RedisFigures | undefined;
  readonly redisSkipped: string | undefined;
  readonly harvestedBytes: number;
  readonly checks: Readonly<Record<string, Check>>;
}

/** True unless a check failed. */
export function passed(checks: Readonly<Record<string, Check>>): boolean {
  return Object.values(checks).every((check) => check !== false);
}

/** Ratios above 1 favour exopool: with the remote tier against without it, during harvesting against before. */
export function ratiosOf(result: DemoResult): Record<string, number> {
  const ratios: Record<string, number> = {};
  for (const disk of ['own', 'limited'] as const) {
    const { with: ours, without: theirs } = result.disks[disk];
    ratios[`reads_per_second_${disk}_disk`] = median(ours.readsPerSecond) / median(theirs.readsPerSecond);
    ratios[`p50_${disk}_disk`] = theirs.latency.all.p50Us / ours.latency.all.p50Us;
    ratios[`p99_${disk}_disk`] = theirs.latency.all.p99Us / ours.latency.all.p99Us;
  }
  const { before, during } = result.redis?.windows ?? {};
  if (before && during && before.count > 0 && during.count > 0) {
    ratios['redis_p50'] = before.p50Us / during.p50Us;
    ratios['redis_p99'] = before.p99Us / during.p99Us;
  }
  // If a run is too short for a figure, it has no ratio. JSON has no NaN.
  return Object.fromEntries(Object.entries(ratios).filter(([, ratio]) => Number.isFinite(ratio)));
}

export function toJson(result: DemoResult): object {
  const skipped = Object.entries(result.checks).filter(([, check]) => typeof check === 'object');
  return {
    suite: 'demo',
    host: {
      kernel: release(),
      arch: arch(),
      cpus: cpus().length,
      memoryBytes: totalmem(),
      node: process.version,
    },
    data: result.data,
    rows: [...diskRows(result, 'own'), ...diskRows(result, 'limited'), ...redisRows(result)],
    ratios: ratiosOf(result),
    market: result.market,
    harvested_bytes: result.harvestedBytes,
    comparison: result.comparison,
    lookups: result.lookups,
    checks: Object.fromEntries(
      Object.entries(result.checks).filter(([, check]) => typeof check === 'boolean'),
    ),
    skipped: Object.fromEntries(
      skipped.map(([name, check]) => [name, (check as { skipped: string }).skipped]),
    ),
  };
}

function diskRows(result: DemoResult, disk: Disk): object[] {
  return (['without', 'with'] as const).flatMap((mode) =>
    modeRows(`${disk} disk, ${mode} remote tier`, result.engine, result.disks[disk][mode]),
  );
}

function modeRows(name: string, engine: string, { readsPerSecond, latency }: ModeFigures): object[] {
  // A disk without measurements has no rows.
  if (latency.all.count === 0) return [];
  return [
    {
      name,
      engine,
      ops_per_s: median(readsPerSecond),
      ops_per_s_slices: readsPerSecond,
      reads: latency.all.count,
      p50_us: latency.all.p50Us,
      p99_us: latency.all.p99Us,
    },
    ...tiers.map((tier) => ({
      name: `${name}, ${tier}`,
      tier,
      reads: latency[tier].count,
      share: latency[tier].count / latency.all.count,
      p50_us: latency[tier].p50Us,
      p99_us: latency[tier].p99Us,
    })),
  ];
}

function redisRows({ redis }: DemoResult): object[] {
  if (!redis) return [];
  return redisWindows.map((window) => ({
    name: `redis, ${window === 'beside' ? 'harvested, beside the readers' : `${window} harvesting`}`,
    reads: redis.windows[window].count,
    p50_us: redis.windows[window].p50Us,
    p99_us: redis.windows[window].p99Us,
  }));
}
