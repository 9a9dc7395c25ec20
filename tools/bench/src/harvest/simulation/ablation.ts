/**
 * Figure 12 of the paper: the harvested memory and its cost, as one constant of the harvester changes and the others
 * stay. The policy is the one of real producers; the application is simulated.
 */
import { HarvestPolicy, type HarvestSettings } from '@exopool/memtrade';
import { MiB } from '@exopool/shared';
import type { Row } from '../../suite.js';
import { SimulatedApplication } from './simulated-application.js';

export interface Ablation {
  readonly constant: 'chunk' | 'cooling' | 'threshold' | 'window';
  readonly value: string;
  readonly settings: Partial<HarvestSettings>;
  /** Percentages of Figure 12: harvested memory, and slowdown. */
  readonly paper: readonly [harvested: number, slowdown: number];
}

export interface AblationResult {
  readonly harvestedShare: number;
  readonly slowdown: number;
  readonly drops: number;
}

const minute = 60_000;
const hour = 60 * minute;

/** The constants of Memtrade's paper. */
export const paperSettings: HarvestSettings = {
  direction: 'lower',
  tail: 0.99,
  dropThreshold: 0.01,
  dropSlack: 0,
  severeEpochs: 3,
  pressureMax: 20,
  baselineWindowMs: 6 * hour,
  recentWindowMs: 10 * minute,
  baselinePointsMin: 60,
  recentPointsMin: 10,
  chunkBytes: 64 * MiB,
  stepGuide: 'fixed',
  coolingMs: 5 * minute,
  recoveryMs: 5 * minute,
  floorBytes: 64 * MiB,
};

export const ablations: readonly Ablation[] = [
  chunk(16, [14.66, 0.13]),
  chunk(64, [17.41, 0]),
  chunk(128, [17.95, 0.27]),
  cooling(1, [4.43, 0.5]),
  cooling(5, [17.41, 0]),
  cooling(15, [7.76, 0.68]),
  threshold(10, [17.53, 0.71]),
  threshold(1, [17.41, 0]),
  threshold(0.1, [9.72, 0]),
  window(1, [17.14, 0.14]),
  window(6, [17.41, 0]),
  window(12, [17.09, 0.64]),
];

function chunk(mebibytes: number, paper: Ablation['paper']): Ablation {
  return { constant: 'chunk', value: `${mebibytes} MB`, settings: { chunkBytes: mebibytes * MiB }, paper };
}

function cooling(minutes: number, paper: Ablation['paper']): Ablation {
  return { constant: 'cooling', value: `${minutes} min`, settings: { coolingMs: minutes * minute }, paper };
}

function threshold(percent: number, paper: Ablation['paper']): Ablation {
  return { constant: 'threshold', value: `${percent} %`, settings: { dropThreshold: percent / 100 }, paper };
}

function window(hours: number, paper: Ablation['paper']): Ablation {
  return { constant: 'window', value: `${hours} h`, settings: { baselineWindowMs: hours * hour }, paper };
}

/** Means over the second half. The first half is a warm-up. */
export function simulate(settings: HarvestSettings, hours: number, seed: number): AblationResult {
  const application = new SimulatedApplication(seed);
  const policy = new HarvestPolicy(settings);
  const epochs = Math.round(hours * 3600);
  let limitBytes: number | undefined;
  const sum = { share: 0, slowdown: 0, drops: 0, epochs: 0 };
  for (let epoch = 0; epoch < epochs; epoch += 1) {
    const { sample, slowdown, swappedShare } = application.epoch(limitBytes);
    const decision = policy.step(sample);
    limitBytes = decision.limitBytes;
    if (decision.prefetchBytes > 0) application.prefetch(decision.prefetchBytes);
    if (decision.isDrop) sum.drops += 1;
    if (epoch < epochs / 2) continue;
    sum.share += swappedShare;
    sum.slowdown += slowdown;
    sum.epochs += 1;
  }
  return {
    harvestedShare: sum.share / sum.epochs,
    slowdown: sum.slowdown / sum.epochs,
    drops: sum.drops,
  };
}

/** One row for each setting. Between two settings, `breathe` yields to the event loop. */
export async function ablationRows(hours: number, breathe: () => Promise<void>): Promise<Row[]> {
  const rows: Row[] = [];
  for (const { constant, value, settings, paper } of ablations) {
    await breathe();
    const result = simulate({ ...paperSettings, ...settings }, hours, 1);
    rows.push({
      name: `simulated: ${constant}`,
      contender: value,
      engine: `paper: ${paper[0]} % harvested, ${paper[1]} % slower`,
      harvested_share: result.harvestedShare,
      slowdown_share: result.slowdown,
    });
  }
  return rows;
}
