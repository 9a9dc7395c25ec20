/**
 * The harvester's loop: samples the application's cgroup once an epoch, lets the policy decide, sets the limit.
 *
 *   sample ──▶ HarvestPolicy ──▶ limit ──▶ the kernel swaps cold pages out ──▶ Silo; memory that can be leased
 *                          └───▶ prefetch ──▶ the pages that went last come back before they are needed
 *
 * The pressure trigger of a cgroup (v2) ends an epoch at once, so an application that waits for memory gets help before
 * the second is over. Without root, cgroups or swap the harvester is off; its status says why and what would help. It
 * starts the command all the same. Every change to the machine is journaled before it is made, and undone at close.
 */
import { existsSync } from 'node:fs';
import {
  MachineJournal,
  readMemoryInfo,
  readMemoryPressure,
  undoLeftovers,
  watchPressure,
  type MemoryCgroup,
  type PressureTrigger,
} from '@exopool/native';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { Silo, type SiloOptions } from '../silo/silo.js';
import { Aim, type VictimChoice } from './aim.js';
import { applicationCgroup, Command, commandWords, type ApplicationChoice } from './application.js';
import { HarvestPolicy, type HarvestDecision, type HarvestSettings } from './harvest-policy.js';
import { nextStatus, nothingHarvested, type HarvestStatus } from './harvest-status.js';
import { openMetric } from './metrics/open-metric.js';
import { promotionRate, type Direction, type PerformanceMetric } from './metrics/performance-metric.js';
import { Squeeze } from './squeeze.js';

export interface HarvesterOptions
  extends
    ApplicationChoice,
    Omit<SiloOptions, 'coolingMs'>,
    Omit<HarvestSettings, 'direction' | 'dropSlack'> {
  readonly dropSlack?: number | undefined;
  /** HOST:PORT of a Redis server, whose PING latency is the metric. */
  readonly redis?: string | undefined;
  /** A metric as `open-metric.ts` describes it; takes precedence over `redis`. */
  readonly metric?: string | undefined;
  /** Better values of a metric that does not say so itself. */
  readonly metricDirection?: Direction | undefined;
  readonly epochMs: number;
  readonly stateDir: string;
  /** Pages that go first at a step; default 'squeeze'. */
  readonly victims?: VictimChoice | undefined;
}

/** An epoch ends early when tasks of the application waited for memory for a fifth of half a second. */
const triggerStallMs = 100;
const triggerWindowMs = 500;

export class Harvester {
  readonly #options: HarvesterOptions;
  readonly #journal: MachineJournal;
  #command: Command | undefined;
  #cgroup: MemoryCgroup | undefined;
  #silo: Silo | undefined;
  #aim: Aim | undefined;
  #squeeze: Squeeze | undefined;
  #metric: PerformanceMetric | undefined;
  #policy: HarvestPolicy | undefined;
  #trigger: PressureTrigger | undefined;
  #status: HarvestStatus = { state: 'off', ...nothingHarvested };
  #lastPageIns = 0;
  #lastEpochMs = 0;
  #timer: NodeJS.Timeout | undefined;
  #epoch: Promise<void> = Promise.resolve();
  #isInEpoch = false;
  #isClosed = false;

  /**
   * Undoes what a killed producer left behind, then starts.
   * @throws ExopoolError for a cgroup, pid, unit, command or metric that does not exist. A mechanism that the machine
   *   lacks is no error.
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

  /** The pid of the command that the harvester started. */
  get commandPid(): number | undefined {
    return this.#command?.pid;
  }

  /** Stops the command and undoes every change. Idempotent. */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#trigger?.close();
    this.#metric?.close();
    await this.#epoch;
    // First of all: an application that waits for memory does not react to SIGTERM.
    if (this.#status.limitBytes !== undefined) this.#squeeze?.lift();
    await this.#squeeze?.settled();
    await this.#command?.stop();
    await this.#silo?.settled();
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
      if (this.#cgroup === undefined)
        throw new ExopoolError(
          'EXOPOOL_UNSUPPORTED',
          'no application is given: use --run, --cgroup, --pid or --unit',
        );
      this.#silo = await Silo.open(this.#journal, this.#options);
    } catch (error) {
      if (!(error instanceof ExopoolError) || !isLack(error)) throw error;
      this.#status = { state: 'off', reason: error.message, ...nothingHarvested };
    }
    if (words !== undefined) this.#command = await Command.start(words, this.#cgroup);
    if (this.#silo !== undefined) await this.#startLoop(this.#cgroup!);
  }

  async #startLoop(cgroup: MemoryCgroup): Promise<void> {
    const metric = await this.#openMetric();
    this.#metric = metric;
    const dropSlack = this.#options.dropSlack ?? metric.defaultSlack;
    this.#policy = new HarvestPolicy({ ...this.#options, direction: metric.direction, dropSlack });
    this.#status = { state: 'learning', metric: metric.name, ...nothingHarvested };
    if (this.#options.victims === 'idle') this.#aim = await Aim.open(this.#journal, this.#options.coolingMs);
    const headroomBytes = this.#options.chunkBytes;
    this.#squeeze = new Squeeze({ cgroup, journal: this.#journal, headroomBytes, aim: this.#aim });
    this.#lastPageIns = cgroup.sample().pageIns;
    this.#lastEpochMs = performance.now();
    const file = cgroup.pressureFile;
    if (file !== undefined) {
      const options = { file, stallMs: triggerStallMs, windowMs: triggerWindowMs };
      this.#trigger = watchPressure(options, () => this.#runEpoch());
    }
    this.#schedule();
  }

  async #openMetric(): Promise<PerformanceMetric> {
    const { metric, metricDirection, redis } = this.#options;
    if (metric !== undefined) return openMetric(metric, metricDirection);
    return redis === undefined ? promotionRate() : openMetric(`redis://${redis}`);
  }

  #schedule(): void {
    if (!this.#isClosed) this.#timer = setTimeout(() => this.#runEpoch(), this.#options.epochMs);
  }

  /** Ends the epoch now, unless it is ending already. */
  #runEpoch(): void {
    if (this.#isInEpoch || this.#isClosed) return;
    this.#isInEpoch = true;
    clearTimeout(this.#timer);
    const cgroup = this.#cgroup!;
    this.#epoch = this.#endEpoch(cgroup, this.#policy!)
      .catch((error: unknown) => this.#failed(cgroup, toExopoolError(error).message))
      .finally(() => {
        this.#isInEpoch = false;
        if (existsSync(cgroup.path)) this.#schedule();
      });
  }

  /** Lifts the limit of an application that cannot be sampled; the next epoch tries again. Ends with its cgroup. */
  #failed(cgroup: MemoryCgroup, reason: string): void {
    if (existsSync(cgroup.path)) {
      this.#status = { ...this.#status, reason };
      this.#squeeze!.lift();
    } else {
      this.#status = { ...this.#status, ...nothingHarvested, state: 'ended', reason };
    }
  }

  async #endEpoch(cgroup: MemoryCgroup, policy: HarvestPolicy): Promise<void> {
    const now = cgroup.sample();
    const nowMs = performance.now();
    const pageIns = Math.max(0, now.pageIns - this.#lastPageIns);
    const seconds = (nowMs - this.#lastEpochMs) / 1000;
    const value = await this.#metric!.endEpoch({ seconds, pageIns });
    this.#lastPageIns = now.pageIns;
    this.#lastEpochMs = nowMs;
    const decision = policy.step({
      nowMs,
      performance: value,
      pageIns,
      usageBytes: now.usageBytes,
      swappedBytes: now.swappedBytes,
      isStalled: now.isStalled,
      isPushingOut: this.#squeeze!.isBusy,
      pressure: (now.pressure ?? readMemoryPressure())?.someAvg10 ?? 0,
      swapFreeBytes: readMemoryInfo().swapFreeBytes,
    });
    const prefetchedBytes = await this.#apply(decision, policy, now.usageBytes);
    this.#silo!.turn(nowMs);
    this.#status = nextStatus(this.#status, {
      metric: this.#metric!.name,
      value,
      tails: policy.tails,
      decision,
      sample: cgroup.sample(),
      silo: this.#silo!.status(),
      aim: this.#aim?.status,
      prefetchedBytes,
      hasEnded: this.#command !== undefined && !this.#command.isRunning,
    });
  }

  /** @returns the bytes that it asked the kernel to bring back from swap. */
  async #apply(
    { limitBytes, isDrop, prefetchBytes }: HarvestDecision,
    policy: HarvestPolicy,
    usageBytes: number,
  ): Promise<number> {
    const squeeze = this.#squeeze!;
    if (isDrop) squeeze.lift();
    else squeeze.hold(limitBytes, usageBytes, (bytes) => policy.reached(bytes));
    return prefetchBytes === 0 ? 0 : squeeze.prefetch(prefetchBytes);
  }
}

/** Whether the machine lacks something, as opposed to a mistake in the settings. */
function isLack(error: ExopoolError): boolean {
  return error.code === 'EXOPOOL_UNSUPPORTED' || error.code === 'EXOPOOL_PERMISSION';
}
