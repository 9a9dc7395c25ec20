/** What the suite asks of a contender's process, and what it answers. */
import type { Percentiles } from '../statistics.js';
import type { Workload } from './workloads.js';

export interface TurnSettings {
  readonly contender: string;
  /** Of this contender. */
  readonly folder: string;
  readonly records: number;
  /** The first of them, which hot workloads read. */
  readonly hotRecords: number;
  readonly memoryBytes: number;
  readonly seed: number;
}

export type Request =
  | { readonly type: 'load' }
  /** Brings everything into memory, as reads of keys leave it there, and also as ranges do. */
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
  /** The way to read that was the fastest. */
  readonly api: string;
  readonly cpuSeconds: number;
  readonly readBytes: number;
  readonly peakRssBytes: number;
}

export type Answer = { readonly result: unknown } | { readonly error: string };
