/**
 * An application without and with a harvester, in turn:
 *
 *   round   undisturbed | flat out | producer starts: learns, harvests | harvested | flat out | producer ends
 *
 * The end of a producer brings back all that it had swapped out, so the next round begins as this one did.
 */
import type { Application, RunningApplication } from './applications/application.js';
import { Harvesting, type HarvestingOptions, type HarvestPoint } from './harvesting.js';
import type { LoadWindow } from './load/window.js';
import type { HarvestPlan } from './plan.js';
import { calmP99Us, StolenTime } from './stolen-time.js';

export interface HarvestRound {
  readonly undisturbed: LoadWindow;
  readonly settling: LoadWindow;
  readonly harvested: LoadWindow;
  /** Of both, where the hypervisor did not interfere. */
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
  try {
    // Caches of the server, and what the load's own compiler does at first.
    await running.run(plan.windowSeconds);
    const rounds: HarvestRound[] = [];
    while (rounds.length < plan.rounds && (rounds.length === 0 || !isLate())) {
      signal.throwIfAborted();
      say(`${application.name}: round ${rounds.length + 1}`);
      rounds.push(await oneRound(running, options));
    }
    return rounds;
  } finally {
    await running.close();
  }
}

async function oneRound(
  application: RunningApplication,
  { plan, folder, settings = {}, signal }: RoundOptions,
): Promise<HarvestRound> {
  const stolen = new StolenTime();
  const undisturbed = await application.run(plan.windowSeconds);
  const flatBefore = await application.runFlatOut?.(plan.flatOutSeconds);
  const { usageBytes } = application.cgroup.sample();
  const harvesting = await Harvesting.start({ application, plan, settings, folder, signal });
  try {
    const settling = await application.run(plan.harvestSeconds);
    const fromMs = Date.now();
    const harvested = await application.run(plan.windowSeconds);
    const toMs = Date.now();
    const flatAfter = await application.runFlatOut?.(plan.flatOutSeconds);
    const during = harvesting.points.filter(({ atMs }) => atMs >= fromMs && atMs <= toMs);
    return {
      undisturbed,
      settling,
      harvested,
      calmP99Us: { undisturbed: calmP99Us(undisturbed, stolen), harvested: calmP99Us(harvested, stolen) },
      flatOut:
        flatBefore === undefined || flatAfter === undefined
          ? undefined
          : { undisturbed: flatBefore, harvested: flatAfter },
      workloadBytes: usageBytes,
      points: harvesting.points,
      harvestedBytes: meanOf(during, ({ status }) => status.harvestedBytes),
      swappedBytes: meanOf(during, ({ status }) => status.swappedBytes),
      storedBytes: meanOf(during, ({ status }) => status.silo?.storedBytes ?? 0),
      diskBytes: meanOf(during, ({ status }) => status.silo?.diskBytes ?? 0),
      siloHitRate: during.at(-1)?.status.silo?.hitRate,
    };
  } finally {
    stolen.close();
    await harvesting.close();
  }
}

function meanOf<T>(items: readonly T[], numberOf: (item: T) => number): number {
  return items.length === 0 ? 0 : items.reduce((sum, item) => sum + numberOf(item), 0) / items.length;
}
