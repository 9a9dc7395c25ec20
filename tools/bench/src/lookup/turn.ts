/** Requests of the suite to a contender's process, and its answers. */
import type { Percentiles } from '../statistics.js';
import type { Workload } from './workloads.js';

export interface TurnSettings {
  readonly contender: string;
  /** The contender's own folder. */
  readonly folder: string;
  readonly records: number;
  /** Number of first records that hot workloads read. */
  readonly hotRecords: number;
  readonly memoryBytes: number;
  readonly seed: number;
}

export type Request =
  | { readonly type: 'load' }
  /** Reads everything into memory by key, and with `inRanges` also by range. */
  | { readonly type: 'heat'; readonly inRanges: boolean }
  | {
      readonly type: 'window';
      readonly workload: Workload;
      readonly seconds: number;
      readonly api: string | undefined;
    }
  | { readonly type: 'end' };

export interface LoadResult {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly diskBytes: number;
}

export interface WindowResult {
  readonly calls: number;
  readonly seconds: number;
  readonly percentiles: Percentiles | undefined;
  /** The fastest way to read. */
  readonly api: string;
  readonly cpuSeconds: number;
  readonly readBytes: number;
  readonly peakRssBytes: number;
}

export type Answer = { readonly result: unknown } | { readonly error: string };
