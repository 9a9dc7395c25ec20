/**
 * An application without and with a harvester, in turn:
 *
 *   flat out | producer starts: learns, harvests | harvested | flat out | producer ends | undisturbed
 *                                                                                         also the next round's first
 *
 * The end of a producer brings back all that it had swapped out, so the next round begins as this one did. A harvested
 * window is compared with the undisturbed ones on both sides of it: a machine that gets slower or faster on the way
 * is neither's doing.
 */
import type { Application, RunningApplication } from './applications/application.js';
import { Harvesting, type HarvestingOptions, type HarvestPoint } from './harvesting.js';
import type { LoadWindow } from './load/window.js';
import type { HarvestPlan } from './plan.js';
import { calmP99Us, StolenTime } from './stolen-time.js';

export interface HarvestRound {
  /** Before the harvester came, and after it had gone. */
  readonly undisturbed: readonly [LoadWindow, LoadWindow];
  readonly settling: LoadWindow;
  readonly harvested: LoadWindow;
  /** Of all three, where the hypervisor did not interfere; undisturbed is the mean of two. */
  readonly calmP99Us: { readonly undisturbed: number; readonly harvested: number };
  readonly flatOut: { readonly undisturbed: LoadWindow; readonly harvested: LoadWindow } | undefined;
  /** Of the application, before the harvester came. */
  readonly workloadBytes: number;
  /** What the harvester reported, from its start to its end. */
  readonly points: readonly HarvestPoint[];
  /** Means over the harvested window. */
  readonly harvestedBytes: number;
  readonly swappedBytes: number;
  /** Slots of swap that are taken, also those of pages that came back unchanged; and of these on a disk. */
  readonly storedBytes: number;
  readonly diskBytes: number;
  /** In the harvested window. */
  readonly pageIns: number;
  /** `undefined` when no page came back. */
  readonly siloHitRate: number | undefined;
}

export interface RoundOptions {
  readonly plan: HarvestPlan;
  readonly folder: string;
  /** Of the producer, over those that follow from the plan. */
  readonly settings?: HarvestingOptions['settings'];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Ends after the first round that is over when `isLate`. */
export async function harvestRounds(
  application: Application,
  options: RoundOptions,
  isLate: () => boolean,
): Promise<HarvestRound[]> {
  const { plan, folder, signal, say } = options;
  say(`${application.name}: starting and filling it`);
  const bytes = plan.applicationBytes[application.name];
  const running = await application.start({ bytes, folder, signal });
  const stolen = new StolenTime();
  try {
    // Caches of the server, and what the load's own compiler does at first.
    await running.run(2 * plan.windowSeconds);
    const rounds: HarvestRound[] = [];
    let before = await running.run(plan.windowSeconds);
    while (rounds.length < plan.rounds && (rounds.length === 0 || !isLate())) {
      signal.throwIfAborted();
      say(`${application.name}: round ${rounds.length + 1}`);
      const round = await oneRound(running, before, stolen, options);
      rounds.push(round);
      before = round.undisturbed[1];
    }
    return rounds;
  } finally {
    stolen.close();
    await running.close();
  }
}

async function oneRound(
  application: RunningApplication,
  before: LoadWindow,
  stolen: StolenTime,
  options: RoundOptions,
): Promise<HarvestRound> {
  const { plan, folder, settings = {}, signal } = options;
  const flatBefore = await application.runFlatOut?.(plan.flatOutSeconds);
  const { usageBytes } = application.cgroup.sample();
  const harvesting = await Harvesting.start({ application, plan, settings, folder, signal });
  const { harvested, flatAfter, ...figures } = await harvestedWindow(application, harvesting, plan).finally(
    () => harvesting.close(),
  );
  const after = await application.run(plan.windowSeconds);
  const calm = (window: LoadWindow): number => calmP99Us(window, stolen);
  return {
    undisturbed: [before, after],
    harvested,
    calmP99Us: { undisturbed: (calm(before) + calm(after)) / 2, harvested: calm(harvested) },
    flatOut:
      flatBefore === undefined || flatAfter === undefined
        ? undefined
        : { undisturbed: flatBefore, harvested: flatAfter },
    workloadBytes: usageBytes,
    points: harvesting.points,
    ...figures,
  };
}

type Harvested = Pick<
  HarvestRound,
  | 'settling'
  | 'harvested'
  | 'harvestedBytes'
  | 'swappedBytes'
  | 'storedBytes'
  | 'diskBytes'
  | 'pageIns'
  | 'siloHitRate'
> & { readonly flatAfter: LoadWindow | undefined };

async function harvestedWindow(
  application: RunningApplication,
  { points }: Harvesting,
  plan: HarvestPlan,
): Promise<Harvested> {
  const settling = await application.run(plan.harvestSeconds);
  const pageInsBefore = application.cgroup.sample().pageIns;
  const fromMs = Date.now();
  const harvested = await application.run(plan.windowSeconds);
  const toMs = Date.now();
  const pageIns = application.cgroup.sample().pageIns - pageInsBefore;
  const flatAfter = await application.runFlatOut?.(plan.flatOutSeconds);
  const during = points.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
  return {
    settling,
    harvested,
    flatAfter,
    harvestedBytes: meanOf(during, ({ status }) => status.harvestedBytes),
    swappedBytes: meanOf(during, ({ status }) => status.swappedBytes),
    storedBytes: meanOf(during, ({ status }) => status.silo?.storedBytes ?? 0),
    diskBytes: meanOf(during, ({ status }) => status.silo?.diskBytes ?? 0),
    pageIns,
    siloHitRate: during.at(-1)?.status.silo?.hitRate,
  };
}

function meanOf<T>(items: readonly T[], numberOf: (item: T) => number): number {
  return items.length === 0 ? 0 : items.reduce((sum, item) => sum + numberOf(item), 0) / items.length;
}
