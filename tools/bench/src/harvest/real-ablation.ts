/**
 * Figure 12 of the paper on a real application: a Redis that is small enough to be harvested in seconds. It varies one
 * constant of the harvester at a time, and compares each window with the window before it.
 */
import { MiB } from '@exopool/shared';
import type { Row } from '../suite.js';
import { redis } from './applications/key-value.js';
import type { RunningApplication } from './applications/application.js';
import { Harvesting, type HarvestingOptions } from './harvesting.js';
import type { HarvestPlan } from './plan.js';
import type { RoundOptions } from './rounds.js';

interface Variant {
  readonly constant: 'chunk' | 'cooling' | 'threshold' | 'window';
  readonly value: string;
  readonly change: Pick<HarvestingOptions, 'settings'> & { readonly chunks?: number };
}

/** Factors of the constants of the rounds, as in the paper: 16, 64, 128 MB; 1, 5, 15 minutes; 1, 6, 12 hours. */
function variants({ times, chunksPerApplication: chunks }: HarvestPlan): Variant[] {
  const { coolingSeconds: cooling, recentSeconds: recent } = times;
  return [
    ...[1 / 4, 1, 2].map((factor): Variant => {
      const part = Math.round(chunks / factor);
      return { constant: 'chunk', value: `1/${part} of it`, change: { chunks: part } };
    }),
    ...[1 / 5, 1, 3].map((factor): Variant => {
      const coolingSeconds = cooling * factor;
      return { constant: 'cooling', value: `${coolingSeconds} s`, change: { settings: { coolingSeconds } } };
    }),
    ...[0.1, 0.01, 0.001].map((dropThreshold): Variant => {
      const value = `${dropThreshold * 100} %`;
      return { constant: 'threshold', value, change: { settings: { dropThreshold, dropSlack: 0 } } };
    }),
    ...[1 / 2, 1, 2].map((factor): Variant => {
      const recentWindowSeconds = recent * factor;
      const value = `${recentWindowSeconds} s`;
      return { constant: 'window', value, change: { settings: { recentWindowSeconds } } };
    }),
  ];
}

export async function realAblationRows(options: RoundOptions): Promise<Row[]> {
  const { plan, folder, signal, say } = options;
  const { bytes } = plan.ablation!;
  say('ablation: starting and filling Redis');
  const running = await redis.start({ bytes, folder, signal });
  try {
    await running.run(plan.ablation!.windowSeconds);
    const rows: Row[] = [];
    for (const variant of variants(plan)) {
      say(`ablation: ${variant.constant} ${variant.value}`);
      rows.push(await rowOf(variant, running, options));
    }
    return rows;
  } finally {
    await running.close();
  }
}

async function rowOf(
  { constant, value, change }: Variant,
  application: RunningApplication,
  { plan, folder, signal }: RoundOptions,
): Promise<Row> {
  const { harvestSeconds, windowSeconds } = plan.ablation!;
  const undisturbed = await application.run(windowSeconds);
  const { usageBytes } = application.cgroup.sample();
  const chunksPerApplication = Math.min(change.chunks ?? plan.chunksPerApplication, usageBytes / MiB);
  const { settings } = change;
  const harvesting = await Harvesting.start({
    application,
    plan: { ...plan, chunksPerApplication },
    ...(settings === undefined ? {} : { settings }),
    folder,
    signal,
  });
  try {
    await application.run(harvestSeconds);
    const fromMs = Date.now();
    const harvested = await application.run(windowSeconds);
    const shares = harvesting.points
      .filter(({ atMs }) => atMs >= fromMs)
      .map(({ status }) => status.harvestedBytes / usageBytes);
    return {
      name: `Redis: ${constant}`,
      contender: value,
      harvested_share: shares.reduce((sum, share) => sum + share, 0) / Math.max(1, shares.length),
      slowdown_share: harvested.p99Us / undisturbed.p99Us - 1,
      p99_us: harvested.p99Us,
    };
  } finally {
    await harvesting.close();
  }
}
