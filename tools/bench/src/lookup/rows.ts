/** Rows of the report from the rounds: medians, with minimum and maximum. */
import { spreadOf } from '../statistics.js';
import type { Row } from '../suite.js';
import type { LoadResult, WindowResult } from './turn.js';
import { nameOf, type Workload } from './workloads.js';

/** One window with the figures of the cgroup, or the reason why there is none. */
export type Measured =
  (WindowResult & { readonly peakMemoryBytes: number | undefined }) | { readonly failed: string };

export function rowOf(contender: string, workload: Workload, measured: readonly Measured[]): Row {
  const name = nameOf(workload);
  const rounds = measured.filter((one): one is Exclude<Measured, { failed: string }> => !('failed' in one));
  const failed = measured.find((one): one is { failed: string } => 'failed' in one)?.failed;
  if (rounds.length === 0) return { name, contender, failed: failed ?? 'not run' };
  const rates = spreadOf(rounds.map(({ calls, seconds }) => calls / seconds));
  const percentile = (of: 'p50Us' | 'p99Us' | 'p999Us'): number | undefined => {
    const numbers = rounds.flatMap(({ percentiles }) => percentiles?.[of] ?? []);
    return numbers.length === 0 ? undefined : spreadOf(numbers).median;
  };
  const peaks = rounds.flatMap(({ peakMemoryBytes }) => peakMemoryBytes ?? []);
  return {
    name,
    contender,
    engine: [...new Set(rounds.map(({ api }) => api))].join(' or '),
    ops_per_s: rates.median,
    ops_per_s_min: rates.min,
    ops_per_s_max: rates.max,
    p50_us: percentile('p50Us'),
    p99_us: percentile('p99Us'),
    p999_us: percentile('p999Us'),
    cpu_s: spreadOf(rounds.map(({ cpuSeconds }) => cpuSeconds)).median,
    bytes_read_per_op: spreadOf(rounds.map(({ readBytes, calls }) => readBytes / calls)).median,
    peak_memory_bytes: peaks.length === 0 ? undefined : Math.max(...peaks),
    peak_rss_bytes: Math.max(...rounds.map(({ peakRssBytes }) => peakRssBytes)),
    failed,
  };
}

export function loadRow(
  contender: string,
  api: string,
  records: number,
  result: (LoadResult & { readonly peakMemoryBytes: number | undefined }) | { readonly failed: string },
): Row {
  const name = 'load in key order';
  if ('failed' in result) return { name, contender, engine: api, failed: result.failed };
  return {
    name,
    contender,
    engine: api,
    ops_per_s: records / result.seconds,
    cpu_s: result.cpuSeconds,
    size_on_disk_bytes: result.diskBytes,
    peak_memory_bytes: result.peakMemoryBytes,
  };
}
