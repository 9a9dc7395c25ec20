/** The types of a suite and of its result. A new suite is a folder beside lookup/ and an entry in suites.ts. */
import type { Theme } from './report/theme.js';

export interface SuiteOptions {
  /** Less data and shorter windows, for a run of minutes. */
  readonly quick: boolean;
  /** Names, or parts of names, of the contenders; `undefined` for all. */
  readonly only: readonly string[] | undefined;
  /** Number of records; `undefined` for the suite's default. */
  readonly records: number | undefined;
  /** Turns of each contender, and the length of a window of reads; `undefined` for the suite's defaults. */
  readonly rounds: number | undefined;
  readonly windowSeconds: number | undefined;
  /** Compares the lookup engines with each other, instead of the store with its peers. */
  readonly engines: boolean;
  /** Measures also in guests with features that this kernel may lack: engines, swap to nbd, zram with writeback. */
  readonly vm: boolean;
  /** Parent folder of the data; `undefined` for a temporary one. */
  readonly folder: string | undefined;
  /** Suite market: a file with the usage of machines, and the seed of generated ones; `undefined` for the defaults. */
  readonly vms: string | undefined;
  readonly seed: number | undefined;
  /** Keeps the data for the next run with the same settings. */
  readonly keep: boolean;
  readonly signal: AbortSignal;
  /** Reports a line of progress. */
  say(line: string): void;
}

/** One measurement of one contender. Some figures belong to one suite. Names of figures contain their unit. */
export interface Row {
  readonly name: string;
  readonly contender: string;
  /** The called API, or the engine that answered. */
  readonly engine?: string | undefined;
  readonly ops_per_s?: number | undefined;
  readonly ops_per_s_min?: number | undefined;
  readonly ops_per_s_max?: number | undefined;
  readonly p50_us?: number | undefined;
  readonly p99_us?: number | undefined;
  readonly p999_us?: number | undefined;
  /** p99 without time that the hypervisor stole: see harvest/stolen-time.ts. */
  readonly calm_p99_us?: number | undefined;
  readonly cpu_s?: number | undefined;
  readonly bytes_read_per_op?: number | undefined;
  readonly size_on_disk_bytes?: number | undefined;
  readonly peak_memory_bytes?: number | undefined;
  readonly peak_rss_bytes?: number | undefined;
  /** Memory of the application before harvesting. */
  readonly workload_bytes?: number | undefined;
  /** Bytes swapped out; bytes on a disk, including pages that came back; swapped bytes minus their compressed size. */
  readonly swapped_bytes?: number | undefined;
  readonly silo_disk_bytes?: number | undefined;
  readonly harvested_bytes?: number | undefined;
  /** Pages for which the application waited. */
  readonly page_ins_per_op?: number | undefined;
  /** Shares from 0 to 1; the first is that of returned pages that came from memory. */
  readonly silo_hit_share?: number | undefined;
  readonly harvested_share?: number | undefined;
  readonly slowdown_share?: number | undefined;
  /** Share of one core. */
  readonly cpu_share?: number | undefined;
  readonly cpu_us_per_op?: number | undefined;
  readonly p50_ms?: number | undefined;
  readonly p99_ms?: number | undefined;
  /** Time of a batch of chains that are in flight together. */
  readonly us_per_batch?: number | undefined;
  readonly hops_per_s?: number | undefined;
  /** All instructions of the machine meanwhile, per hop. */
  readonly instructions_per_hop?: number | undefined;
  readonly instructions_per_hop_min?: number | undefined;
  readonly instructions_per_hop_max?: number | undefined;
  /** Time by the clock. */
  readonly ns_per_hop?: number | undefined;
  readonly ns_per_hop_min?: number | undefined;
  readonly ns_per_hop_max?: number | undefined;
  readonly ns_per_lookup?: number | undefined;
  /** Share of a CPU that is left to a process that wants all of it. */
  readonly neighbour_share?: number | undefined;
  /** Projections to the papers' device: see engines/projection.ts. */
  readonly projected_latency_us?: number | undefined;
  readonly projected_iops?: number | undefined;
  /** Local memory of a cache, by its own count. */
  readonly metadata_bytes_per_pair?: number | undefined;
  readonly hit_share_before?: number | undefined;
  readonly hit_share_after?: number | undefined;
  readonly longest_ms?: number | undefined;
  /** Shares from 0 to 1: promised slabs that were taken back early; promised of free slabs; promises that were kept. */
  readonly revoked_share?: number | undefined;
  readonly volume_share?: number | undefined;
  readonly kept_share?: number | undefined;
  /** The reason why there are no figures. */
  readonly failed?: string | undefined;
}

/** Makes a suite's picture in the colours of a page, as a Vega-Lite specification. */
export type Picture = (theme: Theme) => object;

export interface SuiteResult {
  readonly suite: string;
  /** Parameters of the run: sizes, limits, rounds, settings of the contenders. */
  readonly setup: Readonly<Record<string, unknown>>;
  /** Notes for readers of the figures, such as parts that this machine could not run. */
  readonly notes: readonly string[];
  readonly rows: readonly Row[];
  /** Above 1 exopool is better. */
  readonly ratios: Readonly<Record<string, number>>;
  readonly checks: Readonly<Record<string, boolean>>;
  readonly plots: readonly Plot[];
  /** For `--picture`; `undefined` if the suite has none, or measured too little for it. */
  readonly picture?: Picture | undefined;
}

export interface Plot {
  /** Name of the file, without the extension. */
  readonly name: string;
  /** A Vega-Lite specification. */
  readonly spec: object;
}

export interface Suite {
  readonly name: string;
  readonly description: string;
  run(options: SuiteOptions): Promise<SuiteResult>;
}
