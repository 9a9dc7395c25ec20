/**
 * When to take memory from an application, and when to give it back: the control loop of Memtrade, in its simple form.
 *
 *               enough baseline                     drop
 *   learning ────────────────────▶ harvesting ───────────────▶ recovering (no limit)
 *                                   │      ▲                        │
 *                          one step ▼      │ cooling over           │ recovery over
 *                                  cooling ┘◀───────────────────────┘
 *
 * Every epoch brings one performance point. Points from epochs in which nothing had to be brought back from swap make
 * the *baseline*: how the application does undisturbed. All points make the *recent* distribution. A *drop* is a
 * recent p99 that is worse than the baseline's by more than a threshold: the limit goes at once, and what was recent
 * is forgotten, so that one bad time is not counted twice. Otherwise the limit goes down by a chunk, and then nothing
 * happens for the cooling period: pages that are missed show up as page-ins in that time.
 *
 * Waiting (stall) and memory pressure are drops by themselves. Deterministic: samples in, decisions out.
 */
import { SortedWindow } from './sorted-window.js';

export interface HarvestSettings {
  /** Which values are better. */
  readonly direction: 'lower' | 'higher';
  /** A share of the baseline's p99; a drop is worse by more than this … */
  readonly dropThreshold: number;
  /** … and by more than this, in the metric's unit: differences below it are noise whatever their share. */
  readonly dropSlack: number;
  /** Per cent of the time. */
  readonly pressureMax: number;
  readonly baselineWindowMs: number;
  readonly recentWindowMs: number;
  readonly baselinePointsMin: number;
  readonly recentPointsMin: number;
  readonly chunkBytes: number;
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
}

/** The tail that is compared, as a share of the points. */
const tail = 0.99;

export class HarvestPolicy {
  readonly #settings: HarvestSettings;
  readonly #baseline: SortedWindow;
  readonly #recent: SortedWindow;
  #limitBytes: number | undefined;
  #recoverUntilMs = -Infinity;
  #coolUntilMs = -Infinity;

  constructor(settings: HarvestSettings) {
    this.#settings = settings;
    this.#baseline = new SortedWindow(settings.baselineWindowMs);
    this.#recent = new SortedWindow(settings.recentWindowMs);
  }

  /** The p99 of both distributions, for people to look at. */
  get tails(): { readonly baseline: number | undefined; readonly recent: number | undefined } {
    return { baseline: this.#tailOf(this.#baseline), recent: this.#tailOf(this.#recent) };
  }

  /** One epoch. */
  step(sample: HarvestSample): HarvestDecision {
    this.#learn(sample);
    if (this.#limitBytes !== undefined && this.#isDrop(sample)) {
      this.#limitBytes = undefined;
      this.#recoverUntilMs = sample.nowMs + this.#settings.recoveryMs;
      this.#recent.clear();
      return { phase: 'recovering', limitBytes: undefined, isDrop: true };
    }
    const phase = this.#phase(sample);
    if (phase === 'harvesting') {
      this.#limitBytes = this.#nextLimit(sample);
      this.#coolUntilMs = sample.nowMs + this.#settings.coolingMs;
    }
    return { phase, limitBytes: this.#limitBytes, isDrop: false };
  }

  /** The kernel could not push out as much as was decided: the limit is this instead. */
  reached(limitBytes: number): void {
    if (this.#limitBytes !== undefined) this.#limitBytes = Math.max(limitBytes, this.#settings.floorBytes);
  }

  #learn(sample: HarvestSample): void {
    this.#baseline.expire(sample.nowMs);
    this.#recent.expire(sample.nowMs);
    if (sample.performance === undefined || Number.isNaN(sample.performance)) return;
    this.#recent.add(sample.nowMs, sample.performance);
    // Page-ins while nothing of it is out are its own reads of files, and no trace of ours.
    const isUntouched = this.#limitBytes === undefined && sample.swappedBytes === 0;
    if (sample.pageIns === 0 || isUntouched) this.#baseline.add(sample.nowMs, sample.performance);
  }

  #phase(sample: HarvestSample): HarvestPhase {
    const { baselinePointsMin, floorBytes, chunkBytes } = this.#settings;
    if (sample.nowMs < this.#recoverUntilMs) return 'recovering';
    if (this.#baseline.size < baselinePointsMin) return 'learning';
    if (sample.nowMs < this.#coolUntilMs) return 'cooling';
    // Without a limit a bad time is not our doing; it is no time to begin either.
    if (this.#isDrop(sample)) return 'cooling';
    if (this.#nextLimit(sample) >= sample.usageBytes || (this.#limitBytes ?? Infinity) <= floorBytes)
      return 'at floor';
    return sample.swapFreeBytes < chunkBytes ? 'swap full' : 'harvesting';
  }

  #nextLimit({ usageBytes }: HarvestSample): number {
    const { chunkBytes, floorBytes } = this.#settings;
    return Math.max(floorBytes, Math.min(this.#limitBytes ?? usageBytes, usageBytes) - chunkBytes);
  }

  #isDrop(sample: HarvestSample): boolean {
    const { direction, dropThreshold, dropSlack, pressureMax, baselinePointsMin, recentPointsMin } =
      this.#settings;
    if (sample.isStalled || sample.pressure > pressureMax) return true;
    const { baseline, recent } = this.tails;
    if (this.#baseline.size < baselinePointsMin || this.#recent.size < recentPointsMin) return false;
    if (baseline === undefined || recent === undefined) return false;
    const worseBy = direction === 'lower' ? recent - baseline : baseline - recent;
    return worseBy > Math.max(dropSlack, Math.abs(baseline) * dropThreshold);
  }

  /** The bad end: the highest values where low is good, the lowest where high is. */
  #tailOf(window: SortedWindow): number | undefined {
    return window.percentile(this.#settings.direction === 'lower' ? tail : 1 - tail);
  }
}
