/**
 * The harvester's loop: look at the application's cgroup once an epoch, let the policy decide, set the limit.
 *
 *   sample ──▶ HarvestPolicy ──▶ limit ──▶ the kernel swaps cold pages out ──▶ memory that can be leased
 *
 * Where the machine cannot do it (no root, no cgroups, no swap) it is off, with the reason and what would help; a
 * command is started all the same. Whatever is changed is written in the journal first, and undone at close.
 */
import {
  addZramSwap,
  MachineJournal,
  readMemoryInfo,
  readMemoryPressure,
  readSwapAreas,
  readZramStats,
  undoLeftovers,
  type CgroupSample,
  type MemoryCgroup,
} from '@exopool/native';
import { ExopoolError, MiB } from '@exopool/shared';
import { applicationCgroup, Command, commandWords, type ApplicationChoice } from './application.js';
import { HarvestPolicy, type HarvestPhase, type HarvestSettings } from './harvest-policy.js';
import { promotionRate, type PerformanceMetric } from './performance-metric.js';
import { redisLatency } from './redis-latency.js';

export interface HarvesterOptions
  extends ApplicationChoice, Omit<HarvestSettings, 'direction' | 'dropSlack'> {
  readonly dropSlack?: number | undefined;
  readonly redis?: string | undefined;
  readonly epochMs: number;
  readonly swapBytes: number;
  readonly stateDir: string;
}

export interface HarvestStatus {
  readonly state: 'off' | 'ended' | HarvestPhase;
  /** Why it is off, and what would enable it. */
  readonly reason?: string;
  /** The metric, with its unit. */
  readonly metric?: string;
  readonly performance?: number;
  readonly baselineP99?: number;
  readonly recentP99?: number;
  /** The application's memory now, and its limit when there is one. */
  readonly usageBytes: number;
  readonly limitBytes?: number;
  readonly swappedBytes: number;
  /** Memory won: swapped out, less what its compressed form takes. */
  readonly harvestedBytes: number;
  readonly steps: number;
  readonly drops: number;
}

const nothing = { usageBytes: 0, swappedBytes: 0, harvestedBytes: 0, steps: 0, drops: 0 };

export class Harvester {
  readonly #options: HarvesterOptions;
  readonly #journal: MachineJournal;
  #command: Command | undefined;
  #cgroup: MemoryCgroup | undefined;
  #metric: PerformanceMetric | undefined;
  #policy: HarvestPolicy | undefined;
  #status: HarvestStatus = { state: 'off', ...nothing };
  #lastPageIns = 0;
  #lastEpochMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #epoch: Promise<void> = Promise.resolve();
  #isClosed = false;

  /**
   * Undoes what a producer that was killed left behind, then starts.
   * @throws ExopoolError for a cgroup, pid or command that is not there. What the machine lacks is no error.
   */
  static async start(options: HarvesterOptions): Promise<Harvester> {
    await undoLeftovers(options.stateDir);
    const harvester = new Harvester(options, MachineJournal.open(options.stateDir));
    try {
      await harvester.#begin();
      return harvester;
    } catch (error) {
      await harvester.close();
      throw error;
    }
  }

  private constructor(options: HarvesterOptions, journal: MachineJournal) {
    this.#options = options;
    this.#journal = journal;
  }

  get status(): HarvestStatus {
    return this.#status;
  }

  /** Pid of the command that was started. */
  get commandPid(): number | undefined {
    return this.#command?.pid;
  }

  /** Stops the command and undoes every change. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#metric?.close();
    await this.#epoch;
    // Before it is stopped: an application that waits for memory would not hear SIGTERM.
    if (this.#status.limitBytes !== undefined)
      await this.#cgroup?.setLimit(this.#journal, undefined).catch(() => undefined);
    await this.#command?.stop();
    await this.#journal.undoAll();
  }

  async #begin(): Promise<void> {
    const words = commandWords(this.#options);
    try {
      if (process.getuid?.() !== 0) {
        throw new ExopoolError(
          'EXOPOOL_PERMISSION',
          'limiting an application needs root: run the producer as root',
        );
      }
      this.#cgroup = applicationCgroup(this.#options, this.#journal);
      if (this.#cgroup === undefined) {
        this.#turnOff('no application is given: use --run, --cgroup or --pid');
        return;
      }
      await this.#ensureSwap();
    } catch (error) {
      if (!(error instanceof ExopoolError) || !isLack(error)) throw error;
      this.#turnOff(error.message);
    }
    if (words !== undefined) this.#command = await Command.start(words, this.#cgroup);
    if (this.#status.reason === undefined) this.#startLoop();
  }

  #turnOff(reason: string): void {
    this.#status = { state: 'off', reason, ...nothing };
  }

  async #ensureSwap(): Promise<void> {
    if (readSwapAreas().length > 0) return;
    const half = Math.floor(readMemoryInfo().totalBytes / 2 / MiB) * MiB;
    await addZramSwap(this.#journal, Math.min(this.#options.swapBytes, half));
  }

  #startLoop(): void {
    const { redis, dropSlack } = this.#options;
    const metric = redis === undefined ? promotionRate() : redisLatency(redis);
    this.#metric = metric;
    this.#policy = new HarvestPolicy({
      ...this.#options,
      direction: metric.direction,
      dropSlack: dropSlack ?? metric.defaultSlack,
    });
    this.#status = { state: 'learning', metric: metric.name, ...nothing };
    this.#lastPageIns = this.#cgroup?.sample().pageIns ?? 0;
    this.#lastEpochMs = performance.now();
    this.#schedule();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    this.#timer = setTimeout(() => {
      this.#epoch = this.#runEpoch().then(
        () => this.#schedule(),
        // The cgroup is gone: its owner removed it.
        (error: unknown) => {
          this.#status = { ...this.#status, ...nothing, state: 'ended', reason: (error as Error).message };
        },
      );
    }, this.#options.epochMs);
  }

  async #runEpoch(): Promise<void> {
    const [cgroup, policy, metric] = [this.#cgroup!, this.#policy!, this.#metric!];
    const now = cgroup.sample();
    const nowMs = performance.now();
    const pageIns = Math.max(0, now.pageIns - this.#lastPageIns);
    const value = metric.endEpoch({ seconds: (nowMs - this.#lastEpochMs) / 1000, pageIns });
    this.#lastPageIns = now.pageIns;
    this.#lastEpochMs = nowMs;
    const decision = policy.step({
      nowMs,
      performance: value,
      pageIns,
      usageBytes: now.usageBytes,
      swappedBytes: now.swappedBytes,
      isStalled: now.isStalled,
      pressure: (now.pressure ?? readMemoryPressure())?.someAvg10 ?? 0,
      swapFreeBytes: readMemoryInfo().swapFreeBytes,
    });
    const isLower = decision.limitBytes !== undefined && decision.limitBytes !== this.#status.limitBytes;
    if (isLower || decision.isDrop) {
      const reached = await cgroup.setLimit(this.#journal, decision.limitBytes);
      if (reached !== undefined) policy.reached(reached);
    }
    this.#report(decision.phase, decision.isDrop, value, decision.limitBytes);
  }

  #report(
    phase: HarvestPhase,
    isDrop: boolean,
    value: number | undefined,
    limitBytes: number | undefined,
  ): void {
    const { baseline, recent } = this.#policy!.tails;
    const sample = this.#cgroup!.sample();
    const hasEnded = this.#command !== undefined && !this.#command.isRunning;
    this.#status = {
      state: hasEnded ? 'ended' : phase,
      metric: this.#metric!.name,
      ...(value === undefined ? {} : { performance: value }),
      ...(baseline === undefined ? {} : { baselineP99: baseline }),
      ...(recent === undefined ? {} : { recentP99: recent }),
      ...(limitBytes === undefined ? {} : { limitBytes }),
      usageBytes: sample.usageBytes,
      swappedBytes: sample.swappedBytes,
      harvestedBytes: harvestedBytes(sample),
      steps: this.#status.steps + (phase === 'harvesting' ? 1 : 0),
      drops: this.#status.drops + (isDrop ? 1 : 0),
    };
  }
}

/** What the machine lacks, as opposed to what the user got wrong. */
function isLack(error: ExopoolError): boolean {
  return error.code === 'EXOPOOL_UNSUPPORTED' || error.code === 'EXOPOOL_PERMISSION';
}

/** Swapped out, less the share that swap in compressed memory takes for its pages. */
function harvestedBytes(sample: CgroupSample): number {
  const areas = readSwapAreas();
  const swappedBytes = areas.reduce((sum, area) => sum + area.usedBytes, 0);
  const memoryBytes = areas
    .map(({ path }) => /^\/dev\/zram(\d+)$/.exec(path)?.[1])
    .reduce((sum, id) => sum + (id === undefined ? 0 : readZramStats(Number(id)).usedBytes), 0);
  if (swappedBytes === 0) return 0;
  return Math.round(sample.swappedBytes * Math.max(0, 1 - memoryBytes / swappedBytes));
}
