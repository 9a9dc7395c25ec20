/**
 * Runs the predictor over a trace, step by step. It sees only the past. Then its promises are
 * compared with the memory that stayed free.
 *
 * A lease made at t covers the steps t+1 … t+L. A slab is 1/64 of a machine. A lease loses the slabs that were promised
 * above the least that was free during it. The loss is the sum over all leases, in whole slabs. The volume is relative
 * to the whole slabs free at t. Persistence, the contender, promises all of these.
 *
 *   t          observe all machines, promise, note
 *   t+L        the lease is over: what it lost goes to the books, and to the predictor's control
 */
import { Predictor, type PredictorTarget } from '@exopool/memtrade';
import type { UsageTrace } from './usage-trace.js';

/** Slabs of a machine. */
const slabs = 64;
/** The first steps do not count: the predictor learns the market for an hour. */
const warmUpSteps = 12;
const epsilon = 1e-9;

export interface Losses {
  /** Slabs promised, and of these lost, by the predictor and by persistence. */
  readonly promised: number;
  readonly lost: number;
  readonly persistencePromised: number;
  readonly persistenceLost: number;
}

/** Whole slabs free at a step; 0 where the trace has no value. */
function wholeSlabs(usage: Float64Array, step: number): number {
  return Math.floor(freeSlabs(usage, step) + epsilon);
}

function freeSlabs(usage: Float64Array, step: number): number {
  const used = usage[step]!;
  return Number.isNaN(used) ? 0 : (1 - used) * slabs;
}

/** The least whole slabs free within the lease made at `step`. */
function leastSlabs(usage: Float64Array, step: number, leaseSteps: number): number {
  let least = slabs;
  for (let at = step + 1; at <= step + leaseSteps; at += 1) least = Math.min(least, wholeSlabs(usage, at));
  return least;
}

function observeAll(predictor: Predictor, trace: UsageTrace, names: readonly string[], step: number): void {
  for (const [index, usage] of trace.entries())
    predictor.observe(
      names[index]!,
      step,
      freeSlabs(usage, step) + (Number.isNaN(usage[step]!) ? NaN : 0),
      slabs,
    );
}

interface Ended {
  promised: number;
  lost: number;
}

/**
 * Measures the loss with one target. Every machine makes a lease of each of `lengths` at every step.
 * @param countFrom the first step that counts
 */
export function lossesOf(
  trace: UsageTrace,
  target: PredictorTarget,
  lengths: readonly number[],
  countFrom = warmUpSteps,
): Losses {
  const predictor = new Predictor(target);
  const names = trace.map((_, index) => String(index));
  const steps = trace[0]!.length;
  const sums = { promised: 0, lost: 0, persistencePromised: 0, persistenceLost: 0 };
  const due = new Map<number, Ended[]>();
  for (let step = 0; step < steps; step += 1) {
    for (const { promised, lost } of due.get(step) ?? []) predictor.settle(promised, lost);
    due.delete(step);
    observeAll(predictor, trace, names, step);
    for (const length of lengths) {
      if (step + length >= steps) continue;
      predictor.balance(length);
      const ended = { promised: 0, lost: 0 };
      for (const [index, usage] of trace.entries()) {
        if (Number.isNaN(usage[step]!)) continue;
        const least = leastSlabs(usage, step, length);
        const promised = predictor.promise(names[index]!, freeSlabs(usage, step), length, slabs);
        ended.promised += promised;
        ended.lost += Math.max(0, promised - least);
        if (step < countFrom) continue;
        const all = wholeSlabs(usage, step);
        sums.persistencePromised += all;
        sums.persistenceLost += Math.max(0, all - least);
      }
      due.set(step + length, [...(due.get(step + length) ?? []), ended]);
      if (step < countFrom) continue;
      sums.promised += ended.promised;
      sums.lost += ended.lost;
    }
  }
  return sums;
}

/**
 * Measures how well a level of probability holds: the mean of kept promises in the worst tenth of the machines, and the
 * promised share of free memory.
 */
export function calibrationOf(
  trace: UsageTrace,
  level: number,
  leaseSteps: number,
): { readonly worstDecile: number; readonly all: number; readonly volume: number } {
  const predictor = new Predictor({ volume: 1 });
  const names = trace.map((_, index) => String(index));
  const steps = trace[0]!.length;
  const kept = new Float64Array(trace.length);
  const cases = new Float64Array(trace.length);
  let [promised, free] = [0, 0];
  for (let step = 0; step + leaseSteps < steps; step += 1) {
    observeAll(predictor, trace, names, step);
    // The odds are unknown until the first leases could have ended.
    if (step < warmUpSteps + leaseSteps) continue;
    for (const [index, usage] of trace.entries()) {
      if (Number.isNaN(usage[step]!)) continue;
      const sure = predictor.slabsAt(level, names[index]!, freeSlabs(usage, step), leaseSteps);
      cases[index]! += 1;
      if (leastSlabs(usage, step, leaseSteps) >= sure) kept[index]! += 1;
      promised += sure;
      free += wholeSlabs(usage, step);
    }
  }
  const shares = [...kept]
    .map((count, index) => count / cases[index]!)
    .filter((share) => !Number.isNaN(share))
    .sort((a, b) => a - b);
  const mean = (values: readonly number[]): number =>
    values.reduce((sum, value) => sum + value, 0) / values.length;
  const worst = shares.slice(0, Math.max(1, Math.floor(shares.length / 10)));
  return { worstDecile: mean(worst), all: mean(shares), volume: promised / free };
}
