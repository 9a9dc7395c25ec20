/**
 * Decides when to take memory from an application and when to give it back: the control loop of Memtrade.
 *
 *               enough baseline                     drop
 *   learning ────────────────────▶ harvesting ───────────────▶ recovering (no limit)
 *                                   │      ▲                    │   ▲
 *                          one step ▼      │ cooling over       │   └─ still severe: prefetch a chunk
 *                                  cooling ┘◀───────────────────┘ recovery over
 *
 * Every epoch brings one performance point. Points of epochs without page-ins make the *baseline*: the application
 * undisturbed. All points make the *recent* distribution. A *drop* is a recent p99 that is worse than the baseline's by
 * more than a threshold. A drop removes the limit at once, and clears the recent points, so that they do not count
 * twice. Without a drop the limit goes down by a chunk; then the policy waits for the cooling period, in which pages
 * that the application needs show up as page-ins.
 *
 * An epoch that is worse than *every* baseline point is *severe*. Several severe epochs in a row are a drop, whatever
 * the percentiles say. Each further one brings a chunk of the pages that went last back before they are needed.
 *
 * A stall and high memory pressure are drops too. The policy is deterministic: samples in, decisions out.
 */
import type { Direction } from './metrics/performance-metric.js';
import { SortedWindow } from './sorted-window.js';
import { stepBytes, type StepGuide } from './step-size.js';

export interface HarvestSettings {
  readonly direction: Direction;
  /** The percentile to compare, 0..1: 0.99 for the p99. */
  readonly tail: number;
  /** A drop is worse than the baseline's tail by more than this share of it, and by more than `dropSlack`. */
  readonly dropThreshold: number;
  /** Smaller differences are noise, whatever their share. In the metric's unit. */
  readonly dropSlack: number;
  /** After so many epochs in a row that are each worse than every baseline point, memory is brought back. */
  readonly severeEpochs: number;
  /** More memory pressure than this is a drop; per cent of the time. */
  readonly pressureMax: number;
  readonly baselineWindowMs: number;
  readonly recentWindowMs: number;
  readonly baselinePointsMin: number;
  readonly recentPointsMin: number;
  readonly chunkBytes: number;
  readonly stepGuide: StepGuide;
  readonly coolingMs: number;
  readonly recoveryMs: number;
  /** The limit never goes below this. */
  readonly floorBytes: number;
}

/** One epoch of the application. */
export interface HarvestSample {
  readonly nowMs: number;
  /** The metric's value; `undefined` when the application did not answer. */
  readonly performance: number | undefined;
  /** Pages that came back from swap or disk in this epoch. */
  readonly pageIns: number;
  readonly usageBytes: number;
  readonly swappedBytes: number;
  readonly isStalled: boolean;
  /** Memory pressure, per cent of the time; 0 when it is unknown. */
  readonly pressure: number;
  /** True while pages of the last step are still being pushed out. */
  readonly isPushingOut: boolean;
  /** Free swap; a step needs a chunk of it. */
  readonly swapFreeBytes: number;
}

export type HarvestPhase = 'learning' | 'harvesting' | 'cooling' | 'recovering' | 'at floor' | 'swap full';

/** The policy's answer to one epoch. */
export interface HarvestDecision {
  readonly phase: HarvestPhase;
  /** The application's new limit; `undefined`: no limit. */
  readonly limitBytes: number | undefined;
  /** True when this epoch began a recovery. */
  readonly isDrop: boolean;
  /** Bytes to bring back now, of the pages that were pushed out last; 0: none. */
  readonly prefetchBytes: number;
}

const pageBytes = 4096;

/**
 * The control loop of a harvester, without clock and I/O. Call {@link step} once an epoch and apply its decision.
 *
 * @example
 * const policy = new HarvestPolicy(settings);
 * const { limitBytes, isDrop, prefetchBytes } = policy.step(sample);
 */
export class HarvestPolicy {
  readonly #settings: HarvestSettings;
  readonly #baseline: SortedWindow;
  readonly #recent: SortedWindow;
  #limitBytes: number | undefined;
  #recoverUntilMs = -Infinity;
  #coolUntilMs = -Infinity;
  #severeEpochs = 0;
  #returnedBytes = 0;

  constructor(settings: HarvestSettings) {
    this.#settings = settings;
    this.#baseline = new SortedWindow(settings.baselineWindowMs);
    this.#recent = new SortedWindow(settings.recentWindowMs);
  }

  /** The tails of both distributions, for reports. */
  get tails(): { readonly baseline: number | undefined; readonly recent: number | undefined } {
    return { baseline: this.#tailOf(this.#baseline), recent: this.#tailOf(this.#recent) };
  }

  /** Takes the sample of one epoch and decides. */
  step(sample: HarvestSample): HarvestDecision {
    // Before the point is learned: a point of the baseline is never worse than every point of it.
    this.#severeEpochs = this.#isSevere(sample) ? this.#severeEpochs + 1 : 0;
    this.#learn(sample);
    const isSevere = this.#severeEpochs >= this.#settings.severeEpochs;
    const prefetchBytes = isSevere ? Math.min(this.#settings.chunkBytes, sample.swappedBytes) : 0;
    if (this.#limitBytes !== undefined && (isSevere || this.#isDrop(sample))) {
      this.#limitBytes = undefined;
      this.#recoverUntilMs = sample.nowMs + this.#settings.recoveryMs;
      this.#recent.clear();
      return { phase: 'recovering', limitBytes: undefined, isDrop: true, prefetchBytes };
    }
    const phase = this.#phase(sample);
    if (phase === 'harvesting') {
      this.#limitBytes = this.#nextLimit(sample);
      this.#coolUntilMs = sample.nowMs + this.#settings.coolingMs;
      this.#returnedBytes = 0;
    }
    return { phase, limitBytes: this.#limitBytes, isDrop: false, prefetchBytes };
  }

  /** Tells the policy that the kernel could not push out all that was decided: the limit is `limitBytes` instead. */
  reached(limitBytes: number): void {
    if (this.#limitBytes !== undefined) this.#limitBytes = Math.max(limitBytes, this.#settings.floorBytes);
  }

  #learn(sample: HarvestSample): void {
    this.#returnedBytes += sample.pageIns * pageBytes;
    this.#baseline.expire(sample.nowMs);
    this.#recent.expire(sample.nowMs);
    if (!isKnown(sample.performance)) return;
    this.#recent.add(sample.nowMs, sample.performance);
    // With nothing pushed out, page-ins are the application's own reads of files.
    const isUntouched = this.#limitBytes === undefined && sample.swappedBytes === 0;
    if (sample.pageIns === 0 || isUntouched) this.#baseline.add(sample.nowMs, sample.performance);
  }

  #phase(sample: HarvestSample): HarvestPhase {
    const { baselinePointsMin, floorBytes, chunkBytes } = this.#settings;
    if (sample.nowMs < this.#recoverUntilMs) return 'recovering';
    if (this.#baseline.size < baselinePointsMin) return 'learning';
    if (sample.nowMs < this.#coolUntilMs || sample.isPushingOut) return 'cooling';
    // A bad time without a limit has another cause, but harvesting should not begin in it.
    if (this.#severeEpochs > 0 || this.#isDrop(sample) || this.#stepBytes(sample) === 0) return 'cooling';
    if (this.#nextLimit(sample) >= sample.usageBytes || (this.#limitBytes ?? Infinity) <= floorBytes)
      return 'at floor';
    return sample.swapFreeBytes < chunkBytes ? 'swap full' : 'harvesting';
  }

  #stepBytes({ pressure }: HarvestSample): number {
    const { stepGuide, chunkBytes, pressureMax } = this.#settings;
    return stepBytes(stepGuide, chunkBytes, pressureMax, { pressure, returnedBytes: this.#returnedBytes });
  }

  #nextLimit(sample: HarvestSample): number {
    const from = Math.min(this.#limitBytes ?? sample.usageBytes, sample.usageBytes);
    return Math.max(this.#settings.floorBytes, from - this.#stepBytes(sample));
  }

  #isDrop(sample: HarvestSample): boolean {
    const { dropThreshold, dropSlack, pressureMax, baselinePointsMin, recentPointsMin } = this.#settings;
    if (sample.isStalled || sample.pressure > pressureMax) return true;
    const { baseline, recent } = this.tails;
    if (this.#baseline.size < baselinePointsMin || this.#recent.size < recentPointsMin) return false;
    if (baseline === undefined || recent === undefined) return false;
    return this.#worseBy(recent, baseline) > Math.max(dropSlack, Math.abs(baseline) * dropThreshold);
  }

  /** Whether the epoch is worse than every baseline point, by more than noise, while there are pages to bring back. */
  #isSevere(sample: HarvestSample): boolean {
    if (sample.swappedBytes === 0 || this.#baseline.size < this.#settings.baselinePointsMin) return false;
    if (sample.isStalled) return true;
    const worst = this.#baseline.percentile(this.#settings.direction === 'lower' ? 1 : 0);
    if (worst === undefined || !isKnown(sample.performance)) return false;
    return this.#worseBy(sample.performance, worst) > this.#settings.dropSlack;
  }

  #worseBy(value: number, than: number): number {
    return this.#settings.direction === 'lower' ? value - than : than - value;
  }

  /** The bad end: the highest values where low is good, the lowest where high is. */
  #tailOf(window: SortedWindow): number | undefined {
    const { direction, tail } = this.#settings;
    return window.percentile(direction === 'lower' ? tail : 1 - tail);
  }
}

function isKnown(performance: number | undefined): performance is number {
  return performance !== undefined && Number.isFinite(performance);
}
