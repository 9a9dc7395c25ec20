/** A producer that harvests an application while this is open, and its reports. */
import { fileURLToPath } from 'node:url';
import { Child } from '@exopool/demo/child';
import { pause } from '@exopool/demo/wait-until';
import type { HarvestStatus } from '@exopool/memtrade';
import { ExopoolError, MiB } from '@exopool/shared';
import type { RunningApplication } from './applications/application.js';
import type { HarvestPlan } from './plan.js';

export interface HarvestPoint {
  /** Unix time, milliseconds. */
  readonly atMs: number;
  readonly status: HarvestStatus;
}

export interface HarvestingOptions {
  readonly application: RunningApplication;
  readonly plan: Pick<HarvestPlan, 'times' | 'floorShare' | 'chunksPerApplication'>;
  /** Default true. */
  readonly isPrefetching?: boolean;
  /** Settings of the producer that override those from the plan. */
  readonly settings?: Readonly<Record<string, number | string>>;
  readonly folder: string;
  readonly signal: AbortSignal;
}

const producerMain = fileURLToPath(new URL('producer-main.js', import.meta.url));
const lookMs = 250;
/** More bad epochs in a row than a run has: the harvester brings back no page before the application needs it. */
const severeNever = 1000;

export class Harvesting {
  readonly points: HarvestPoint[] = [];
  readonly #child: Child;
  readonly #timer: NodeJS.Timeout;

  /** @throws ExopoolError with the reason if harvesting is not possible here. */
  static async start(options: HarvestingOptions): Promise<Harvesting> {
    const child = new Child('producer', producerMain, [
      JSON.stringify({ folder: options.folder, settings: settingsOf(options) }),
    ]);
    const harvesting = new Harvesting(child);
    try {
      await child.ready(options.signal);
      await harvesting.#hasBegun(options.signal);
      return harvesting;
    } catch (error) {
      await harvesting.close();
      throw error;
    }
  }

  private constructor(child: Child) {
    this.#child = child;
    this.#timer = setInterval(() => this.#look(), lookMs);
  }

  /** The last report. */
  get status(): HarvestStatus | undefined {
    return this.points.at(-1)?.status;
  }

  /** Ends the producer, which undoes its changes. When this resolves, all swapped pages are back. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#child.close();
  }

  async #hasBegun(signal: AbortSignal): Promise<void> {
    while (this.status === undefined) {
      await pause(lookMs, signal);
      this.#child.assertRunning();
      this.#look();
    }
    if (this.status.state === 'off')
      throw new ExopoolError('EXOPOOL_UNSUPPORTED', this.status.reason ?? 'harvesting is off');
  }

  #look(): void {
    const status = this.#child.figures as HarvestStatus | undefined;
    if (status !== undefined) this.points.push({ atMs: Date.now(), status });
  }
}

function settingsOf({ application, plan, isPrefetching = true, settings }: HarvestingOptions): object {
  const { metric, dropSlack, cgroup } = application;
  const { times, floorShare, chunksPerApplication } = plan;
  const { usageBytes } = cgroup.sample();
  return {
    // Offer only harvested memory: the measurements need the machine's free memory.
    maxMib: 0,
    cgroup: cgroup.path,
    ...(metric === undefined ? {} : { metric }),
    ...(dropSlack === undefined ? {} : { dropSlack }),
    chunkMib: Math.max(1, Math.round(usageBytes / chunksPerApplication / MiB)),
    appFloorMib: Math.round((usageBytes * floorShare) / MiB),
    epochSeconds: times.epochSeconds,
    coolingSeconds: times.coolingSeconds,
    recoverySeconds: times.recoverySeconds,
    recentWindowSeconds: times.recentSeconds,
    baselinePointsMin: times.baselinePoints,
    tailPercent: times.tailPercent,
    ...(isPrefetching ? {} : { severeEpochs: severeNever }),
    ...settings,
  };
}
