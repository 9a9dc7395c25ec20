/**
 * Predicts how much memory each producer of a market keeps free.
 *
 *   observe(producer, step, free, size)  ─▶ volatility, past leases ─▶ histograms of drops
 *   promise(...)   whole slabs for a best-effort lease: free − caution · volatility · length
 *   slabsAt(...)   whole slabs that stay with a probability, for a guaranteed one
 *   settle(...)    what ended leases lost moves the caution towards the target
 *
 * It has no clock and no I/O: steps are numbers that the caller counts, so that the broker and the simulator run the
 * same code. A producer that reports nonsense harms itself: its free memory is limited to its size, and less is
 * promised of memory that swings.
 */
import { DropWindows, learnedSteps, lengthClass } from './drop-windows.js';
import { adjustCaution, cautionForVolume, horizon, stableSlabs } from './lease-sizing.js';
import { dropAt, DropHistogram, stayOdds } from './stay-odds.js';
import {
  medianVolatility,
  noVolatility,
  observeChange,
  volatilityOf,
  volatilityUnknown,
  type Volatility,
} from './volatility.js';

/** The operator's target: the least volume, or the most loss. Both are 0..1. */
export type PredictorTarget = { readonly volume: number } | { readonly revocations: number };

/** Half-lives of the histograms, in steps: a day and half a day. */
const marketHalfLife = 288;
const ownHalfLife = 144;
/** The caution starts here, before any lease has ended. */
const cautionAtFirst = 1;
/** The median moves slowly, and sorting a large market at every step is not worth it. */
const medianEverySteps = 12;

interface History {
  lastStep: number;
  freeSlabs: number;
  sizeSlabs: number;
  volatility: Volatility;
  readonly windows: DropWindows;
  /** By length class. */
  readonly drops: readonly DropHistogram[];
}

/**
 * Predicts what stays free.
 * @example
 * ```ts
 * const predictor = new Predictor({ revocations: 0.002 });
 * predictor.observe('producer', 0, 40, 64); // 40 of 64 slabs are free in step 0
 * const slabs = predictor.promise('producer', 40, 12); // for an hour
 * ```
 */
export class Predictor {
  readonly #histories = new Map<string, History>();
  readonly #market = learnedSteps.map(() => new DropHistogram(marketHalfLife));
  #median = volatilityUnknown;
  #medianStep = -Infinity;
  #fadedStep = -Infinity;
  #caution = cautionAtFirst;

  constructor(private readonly target: PredictorTarget) {}

  /** One for the whole market: see `lease-sizing.ts`. */
  get caution(): number {
    return this.#caution;
  }

  /**
   * Takes note of what a producer has in a step of five minutes.
   * @param step counted by the caller, rising; one older than the last is ignored
   * @param freeSlabs what it could promise if nothing changed; taken within 0..`sizeSlabs`
   * @param sizeSlabs its memory, above 0; NaN, 0 and less are ignored
   */
  observe(producer: string, step: number, freeSlabs: number, sizeSlabs: number): void {
    if (!Number.isFinite(freeSlabs) || !(sizeSlabs > 0) || sizeSlabs === Infinity) return;
    const free = Math.min(sizeSlabs, Math.max(0, freeSlabs));
    this.#enterStep(step);
    const history = this.#histories.get(producer);
    if (history === undefined) {
      this.#histories.set(producer, newHistory(step, free, sizeSlabs));
      return;
    }
    const steps = step - history.lastStep;
    if (!(steps >= 1)) return;
    history.volatility = observeChange(history.volatility, (free - history.freeSlabs) / sizeSlabs, steps);
    history.lastStep = step;
    history.freeSlabs = free;
    history.sizeSlabs = sizeSlabs;
    if (steps > 1) history.windows.clear();
    this.#learn(history);
  }

  /** Forgets the producer. */
  forget(producer: string): void {
    this.#histories.delete(producer);
  }

  /** Slabs a step by which the producer's free memory moves; the market's median for a newcomer. */
  volatility(producer: string, sizeSlabs: number): number {
    const history = this.#histories.get(producer);
    const share = history === undefined ? this.#median : volatilityOf(history.volatility, this.#median);
    return share * (history?.sizeSlabs ?? sizeSlabs);
  }

  /** Whole slabs of `freeSlabs` that may be promised for a best-effort lease of `leaseSteps`. */
  promise(producer: string, freeSlabs: number, leaseSteps: number, sizeSlabs = freeSlabs): number {
    const memory = { freeSlabs, volatility: this.volatility(producer, sizeSlabs) };
    return stableSlabs(memory, leaseSteps, this.#caution);
  }

  /**
   * Whole slabs of `freeSlabs` that stay for the whole lease with a probability of `level`, 0..1; 0 while the market
   * has not seen a lease of that length.
   */
  slabsAt(level: number, producer: string, freeSlabs: number, leaseSteps: number): number {
    const index = lengthClass(leaseSteps);
    const history = this.#histories.get(producer);
    const market = this.#market[index]!;
    const drop = dropAt(history?.drops[index] ?? new DropHistogram(ownHalfLife), market, level);
    if (drop === undefined) return 0;
    const reserve = drop * this.volatility(producer, freeSlabs) * this.#beyond(leaseSteps, index);
    return Math.max(0, Math.floor(freeSlabs - reserve));
  }

  /** The probability that `slabs` of `freeSlabs` stay for the whole lease; 0 while nothing is known. */
  oddsOf(slabs: number, producer: string, freeSlabs: number, leaseSteps: number): number {
    const index = lengthClass(leaseSteps);
    const history = this.#histories.get(producer);
    const unit = this.volatility(producer, freeSlabs) * this.#beyond(leaseSteps, index);
    const drop = unit > 0 ? (freeSlabs - slabs) / unit : freeSlabs >= slabs ? Infinity : -1;
    return stayOdds(history?.drops[index] ?? new DropHistogram(ownHalfLife), this.#market[index]!, drop);
  }

  /** Sets the caution for a volume target from the present market; with a revocation target it does nothing. */
  balance(leaseSteps: number): void {
    if (!('volume' in this.target)) return;
    const market = [...this.#histories].map(([producer, { freeSlabs, sizeSlabs }]) => ({
      freeSlabs,
      volatility: this.volatility(producer, sizeSlabs),
    }));
    if (market.length > 0) this.#caution = cautionForVolume(market, leaseSteps, this.target.volume);
  }

  /** Takes note of ended leases: the slabs promised, and those of them that were taken back early. */
  settle(promisedSlabs: number, lostSlabs: number): void {
    if (!('revocations' in this.target) || !(promisedSlabs > 0)) return;
    this.#caution = adjustCaution(this.#caution, lostSlabs / promisedSlabs, this.target.revocations);
  }

  /** For a lease longer than all learned lengths, the drop grows with the length. */
  #beyond(leaseSteps: number, index: number): number {
    return Math.max(1, horizon(leaseSteps) / horizon(learnedSteps[index]!));
  }

  #enterStep(step: number): void {
    if (step >= this.#medianStep + medianEverySteps) {
      this.#median = medianVolatility([...this.#histories.values()].map(({ volatility }) => volatility));
      this.#medianStep = step;
    }
    if (step <= this.#fadedStep) return;
    for (const histogram of this.#market) histogram.fade();
    this.#fadedStep = step;
  }

  #learn(history: History): void {
    const share = volatilityOf(history.volatility, this.#median);
    for (const past of history.windows.push(history.freeSlabs, share * history.sizeSlabs)) {
      const unit = past.note;
      const fallen = Math.max(0, past.free - past.least);
      const drop = unit > 0 ? fallen / unit : fallen > 0 ? Infinity : 0;
      history.drops[past.lengthClass]!.fade();
      history.drops[past.lengthClass]!.add(drop);
      this.#market[past.lengthClass]!.add(drop);
    }
  }
}

function newHistory(step: number, freeSlabs: number, sizeSlabs: number): History {
  const windows = new DropWindows();
  windows.push(freeSlabs, volatilityUnknown * sizeSlabs);
  const drops = learnedSteps.map(() => new DropHistogram(ownHalfLife));
  return { lastStep: step, freeSlabs, sizeSlabs, volatility: noVolatility, windows, drops };
}
