/** What a suite is, and what comes out of it. A new suite is a folder beside lookup/ and a line in suites.ts. */
import type { Theme } from './report/theme.js';

export interface SuiteOptions {
  /** Less data and shorter windows: minutes. */
  readonly quick: boolean;
  /** Names, or parts of names, of the contenders that take part; `undefined`: all. */
  readonly only: readonly string[] | undefined;
  /** Size of the data set; `undefined`: the suite's own. */
  readonly records: number | undefined;
  /** How often each contender has its turn, and the length of a window of reads; `undefined`: the suite's own. */
  readonly rounds: number | undefined;
  readonly windowSeconds: number | undefined;
  /** Compares our lookup engines with each other, not the store with its peers. */
  readonly engines: boolean;
  /** Also in guests, which have what this kernel does not: engines, nbd to swap to, zram with writeback. */
  readonly vm: boolean;
  /** Folder under which the data is made; `undefined`: a temporary one. */
  readonly folder: string | undefined;
  /** Leaves the data for the next run with the same settings. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  /** One line of progress. */
  say(line: string): void;
}

/** One thing measured of one contender. Further figures of a suite are beside these, with their unit in the name. */
export interface Row {
  readonly name: string;
  readonly contender: string;
  /** What was called, or which engine answered. */
  readonly engine?: string | undefined;
  readonly ops_per_s?: number | undefined;
  readonly ops_per_s_min?: number | undefined;
  readonly ops_per_s_max?: number | undefined;
  readonly p50_us?: number | undefined;
  readonly p99_us?: number | undefined;
  readonly p999_us?: number | undefined;
  /** Where the hypervisor took no time: see harvest/stolen-time.ts. */
  readonly calm_p99_us?: number | undefined;
  readonly cpu_s?: number | undefined;
  readonly bytes_read_per_op?: number | undefined;
  readonly size_on_disk_bytes?: number | undefined;
  readonly peak_memory_bytes?: number | undefined;
  readonly peak_rss_bytes?: number | undefined;
  /** Of the application before anything was taken from it. */
  readonly workload_bytes?: number | undefined;
  /** Swapped out; on a disk, also of pages that came back; and the first less what its compressed form takes. */
  readonly swapped_bytes?: number | undefined;
  readonly silo_disk_bytes?: number | undefined;
  readonly harvested_bytes?: number | undefined;
  /** Pages that the application waited for. */
  readonly page_ins_per_op?: number | undefined;
  /** 0 … 1: of the pages that came back, those from memory; and what of 1 was kept or used. */
  readonly silo_hit_share?: number | undefined;
  readonly harvested_share?: number | undefined;
  readonly slowdown_share?: number | undefined;
  /** Of one core. */
  readonly cpu_share?: number | undefined;
  readonly cpu_us_per_op?: number | undefined;
  readonly p50_ms?: number | undefined;
  readonly p99_ms?: number | undefined;
  /** A batch of chains that are in flight together. */
  readonly us_per_batch?: number | undefined;
  readonly hops_per_s?: number | undefined;
  /** All that the machine executed meanwhile. */
  readonly instructions_per_hop?: number | undefined;
  readonly instructions_per_hop_min?: number | undefined;
  readonly instructions_per_hop_max?: number | undefined;
  /** By the clock. */
  readonly ns_per_hop?: number | undefined;
  readonly ns_per_hop_min?: number | undefined;
  readonly ns_per_hop_max?: number | undefined;
  readonly ns_per_lookup?: number | undefined;
  /** Of a CPU: what is left to a process that wants all of it. */
  readonly neighbour_share?: number | undefined;
  /** On the papers' device: see engines/projection.ts. */
  readonly projected_latency_us?: number | undefined;
  readonly projected_iops?: number | undefined;
  /** Of a cache, by its own count. */
  readonly metadata_bytes_per_pair?: number | undefined;
  readonly hit_share_before?: number | undefined;
  readonly hit_share_after?: number | undefined;
  readonly longest_ms?: number | undefined;
  /** Why there are no figures. */
  readonly failed?: string | undefined;
}

/** Draws a suite's picture in the colours of a page: a Vega-Lite specification. */
export type Picture = (theme: Theme) => object;

export interface SuiteResult {
  readonly suite: string;
  /** What was run: sizes, limits, rounds, settings of the contenders. */
  readonly setup: Readonly<Record<string, unknown>>;
  /** What a reader must know to judge the figures, such as what this machine could not do. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
  /** "Ours better than theirs" is above 1. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly checks: Readonly<Record<string, boolean>>;
  readonly plots: readonly Plot[];
  /** For `--picture`; `undefined` where the suite has none, or measured too little for it. */
  readonly picture?: Picture | undefined;
}

export interface Plot {
  /** Of its file, without the ending. */
  readonly name: string;
  /** A Vega-Lite specification. */
  readonly spec: object;
}

export interface Suite {
  readonly name: string;
  readonly description: string;
  run(options: SuiteOptions): Promise<SuiteResult>;
}
