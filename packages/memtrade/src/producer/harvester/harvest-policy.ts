/**
 * When to take memory from an application, and when to give it back: the control loop of Memtrade.
 *
 *               enough baseline                     drop
 *   learning ────────────────────▶ harvesting ───────────────▶ recovering (no limit)
 *                                   │      ▲                    │   ▲
 *                          one step ▼      │ cooling over       │   └─ still severe: prefetch a chunk
 *                                  cooling ┘◀───────────────────┘ recovery over
 *
 * Every epoch brings one performance point. Points from epochs in which nothing had to be brought back from swap make
 * the *baseline*: how the application does undisturbed. All points make the *recent* distribution. A *drop* is a
 * recent p99 that is worse than the baseline's by more than a threshold: the limit goes at once, and what was recent
 * is forgotten, so that one bad time is not counted twice. Otherwise the limit goes down by a chunk, and then nothing
 * happens for the cooling period: pages that are missed show up as page-ins in that time.
 *
 * An epoch that is worse than *every* baseline point is *severe*. Several in a row are a drop whatever the percentiles
 * say, and with each one more a chunk of what was pushed out last is brought back, before it is asked for.
 *
 * Waiting (stall) and memory pressure are drops by themselves. Deterministic: samples in, decisions out.
 */
import { SortedWindow } from './sorted-window.js';
import { stepBytes, type StepGuide } from './step-size.js';

export interface HarvestSettings {
  /** Which values are better. */
  readonly direction: 'lower' | 'higher';
  /** The part of the points that is compared: 0.99 for the p99. */
  readonly tail: number;
  /** A share of the baseline's tail; a drop is worse by more than this … */
  readonly dropThreshold: number;
  /** … and by more than this, in the metric's unit: differences below it are noise whatever their share. */
  readonly dropSlack: number;
  /** Epochs in a row, each worse than every baseline point, after which memory is brought back. */
  readonly severeEpochs: number;
  /** Per cent of the time. */
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

export interface HarvestSample {
  readonly nowMs: number;
  /** `undefined` when the application could not be asked. */
  readonly performance: number | undefined;
  /** Pages brought back in this epoch. */
  readonly pageIns: number;
  readonly usageBytes: number;
  readonly swappedBytes: number;
  readonly isStalled: boolean;
  /** Per cent of the time; 0 when it is not known. */
  readonly pressure: number;
  /** The last step is not done: pages are still being pushed out. */
  readonly isPushingOut: boolean;
  /** Room left in swap: a step needs a chunk of it. */
  readonly swapFreeBytes: number;
}

export type HarvestPhase = 'learning' | 'harvesting' | 'cooling' | 'recovering' | 'at floor' | 'swap full';

export interface HarvestDecision {
  readonly phase: HarvestPhase;
  /** `undefined`: none. */
  readonly limitBytes: number | undefined;
  /** This epoch began a recovery. */
  readonly isDrop: boolean;
  /** So much of what was pushed out last is to be brought back now; 0: nothing. */
  readonly prefetchBytes: number;
}

const pageBytes = 4096;

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

  /** The tail of both distributions, for people to look at. */
  get tails(): { readonly baseline: number | undefined; readonly recent: number | undefined } {
    return { baseline: this.#tailOf(this.#baseline), recent: this.#tailOf(this.#recent) };
  }

  /** One epoch. */
  step(sample: HarvestSample): HarvestDecision {
    // Before it is learned: no point is worse than every point when it is one of them.
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

  /** The kernel could not push out as much as was decided: the limit is this instead. */
  reached(limitBytes: number): void {
    if (this.#limitBytes !== undefined) this.#limitBytes = Math.max(limitBytes, this.#settings.floorBytes);
  }

  #learn(sample: HarvestSample): void {
    this.#returnedBytes += sample.pageIns * pageBytes;
    this.#baseline.expire(sample.nowMs);
    this.#recent.expire(sample.nowMs);
    if (!isKnown(sample.performance)) return;
    this.#recent.add(sample.nowMs, sample.performance);
    // Page-ins while nothing of it is out are its own reads of files, and no trace of ours.
    const isUntouched = this.#limitBytes === undefined && sample.swappedBytes === 0;
    if (sample.pageIns === 0 || isUntouched) this.#baseline.add(sample.nowMs, sample.performance);
  }

  #phase(sample: HarvestSample): HarvestPhase {
    const { baselinePointsMin, floorBytes, chunkBytes } = this.#settings;
    if (sample.nowMs < this.#recoverUntilMs) return 'recovering';
    if (this.#baseline.size < baselinePointsMin) return 'learning';
    if (sample.nowMs < this.#coolUntilMs || sample.isPushingOut) return 'cooling';
    // Without a limit a bad time is not our doing; it is no time to begin either.
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

  /** Worse than every point of the baseline, and by more than noise, while there is something to bring back. */
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
