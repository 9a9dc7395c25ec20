/** Sizes, load shapes and times of suite cache. */
import { MiB } from '@exopool/shared';
import type { SuiteOptions } from '../suite.js';

/** A load shape. */
export interface Shape {
  readonly name: string;
  /** Calls in flight, and keys of each. */
  readonly inFlight: number;
  readonly keys: number;
}

export const sequential: Shape = { name: 'one after the other', inFlight: 1, keys: 1 };
export const inFlight: Shape = { name: '×64 in flight', inFlight: 64, keys: 1 };
export const batches: Shape = { name: 'batches of 64', inFlight: 1, keys: 64 };
export const shapes: readonly Shape[] = [sequential, inFlight, batches];

export const valueSizes = [64, 1024, 16_384] as const;
/** The value size for the ratios. */
export const ratioBytes = 1024;

export interface CachePlan {
  readonly rounds: number;
  readonly seconds: number;
  /** Size of a contender's data. The cache holds all of it. */
  readonly dataBytes: number;
  readonly recordsMax: number;
  /** Pairs for the measure of local memory. */
  readonly pairs: number;
  /** Seconds of the loss experiment before and after the kill. */
  readonly lossSeconds: number;
}

export function cachePlan({
  quick,
  records,
  rounds,
  windowSeconds,
}: Pick<SuiteOptions, 'quick' | 'records' | 'rounds' | 'windowSeconds'>): CachePlan {
  return {
    // Many short rounds: other guests on the host disturb some, and medians ignore those.
    rounds: rounds ?? (quick ? 9 : 15),
    seconds: windowSeconds ?? (quick ? 0.2 : 1),
    dataBytes: 48 * MiB,
    recordsMax: records ?? 20_000,
    pairs: quick ? 300_000 : 2_000_000,
    lossSeconds: quick ? 1 : 5,
  };
}

export function recordsOf({ dataBytes, recordsMax }: CachePlan, valueBytes: number): number {
  return Math.min(recordsMax, Math.floor(dataBytes / valueBytes));
}

export function rowName(valueBytes: number, shape: Shape): string {
  return `get ${valueBytes} B, ${shape.name}`;
}
