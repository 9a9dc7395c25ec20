/**
 * An application without and with a harvester, in turn:
 *
 *   flat out | producer starts: learns, harvests | harvested | flat out | producer ends | undisturbed
 *                                                                                         also the next round's first
 *
 * When a producer ends, it brings back all swapped pages, so each round begins in the same state. A harvested window is
 * compared with the undisturbed windows before and after it, so that a drift of the machine's speed cancels out.
 */
import type { Application, RunningApplication } from './applications/application.js';
import { Harvesting, type HarvestingOptions, type HarvestPoint } from './harvesting.js';
import type { LoadWindow } from './load/window.js';
import type { HarvestPlan } from './plan.js';
import { calmP99Us, StolenTime } from './stolen-time.js';

export interface HarvestRound {
  /** Windows before the harvester started, and after it ended. */
  readonly undisturbed: readonly [LoadWindow, LoadWindow];
  readonly settling: LoadWindow;
  readonly harvested: LoadWindow;
  /** Calm p99s of the three windows, without the hypervisor's influence; `undisturbed` is the mean of two. */
  readonly calmP99Us: { readonly undisturbed: number; readonly harvested: number };
  readonly flatOut: { readonly undisturbed: LoadWindow; readonly harvested: LoadWindow } | undefined;
  /** Memory of the application before the harvester started. */
  readonly workloadBytes: number;
  /** All reports of the harvester. */
  readonly points: readonly HarvestPoint[];
  /** Means over the harvested window. */
  readonly harvestedBytes: number;
  readonly swappedBytes: number;
  /** Bytes of used swap slots, including pages that came back unchanged; and the part of them on a disk. */
  readonly storedBytes: number;
  readonly diskBytes: number;
  /** Counts in the harvested window. */
  readonly pageIns: number;
  /** `undefined` if no page came back. */
  readonly siloHitRate: number | undefined;
}

export interface RoundOptions {
  readonly plan: HarvestPlan;
  readonly folder: string;
  /** Settings of the producer that override those from the plan. */
  readonly settings?: HarvestingOptions['settings'];
  readonly signal: AbortSignal;
  readonly say: (line: string) => void;
}

/** Ends after the first round at whose end `isLate` returns true. */
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
    // Warm up the caches of the server and the JIT compiler of the load.
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
