/** A result as a page of tables: ratios first, then every row, also the unfavourable ones. */
import { formatBytes, formatCount } from '@exopool/shared';
import type { Row, SuiteResult } from '../suite.js';
import type { Host } from './host.js';

export function markdownPage(result: SuiteResult, host: Host): string {
  const { suite, setup, notes, plots } = result;
  const memory = formatBytes(host.memory_bytes);
  return [
    `# exopool bench ${suite}`,
    `${host.cpu}, ${host.cpus} cores, ${memory}; Linux ${host.kernel}, Node.js ${host.node}.`,
    list(Object.entries(setup).flatMap(([name, value]) => describe(name, value))),
    ...(notes.length === 0 ? [] : ['## Notes', list(notes)]),
    '## Ratios',
    'Ours to theirs; above 1 ours is better. Medians of interleaved rounds.',
    ratioTable(result),
    '## Figures',
    'Median of the rounds, least and most in brackets.',
    rowTables(result.rows),
    ...plots.map(({ name }) => `![${name}](${name}.svg)`),
    '',
  ].join('\n\n');
}

/** The output of the command at the end. */
export function summary(result: SuiteResult): string {
  return [ratioTable(result), ...result.notes.map((note) => `note: ${note}`)].join('\n');
}

function ratioTable({ ratios, checks, setup }: SuiteResult): string {
  const least = (setup['targets'] ?? {}) as Readonly<Record<string, number>>;
  const most = (setup['targets_at_most'] ?? {}) as Readonly<Record<string, number>>;
  const targetOf = (name: string): string =>
    least[name] !== undefined ? `≥ ${least[name]}` : most[name] !== undefined ? `≤ ${most[name]}` : '';
  const rows = Object.entries(ratios).map(([name, ratio]) => {
    const check = checks[name] === undefined ? '' : checks[name] ? 'yes' : 'no';
    return [name, ratio.toFixed(ratio < 10 ? 3 : 1), targetOf(name), check];
  });
  return table(['ratio', 'measured', 'target', 'reached'], rows);
}

function rowTables(rows: readonly Row[]): string {
  const names = [...new Set(rows.map(({ name }) => name))];
  return names
    .map((name) => `### ${name}\n\n${rowTable(rows.filter((row) => row.name === name))}`)
    .join('\n\n');
}

/** Columns, and the format of their figures. Empty columns are left out. */
const columns: readonly (readonly [head: string, cell: (row: Row) => string])[] = [
  ['contender', ({ contender }) => contender],
  ['by', ({ engine }) => engine ?? ''],
  ['ops/s', rateCell],
  ['instructions/hop', instructionsCell],
  ['ns/hop', nanosecondsCell],
  ['ns', ({ ns_per_lookup }) => ns_per_lookup?.toFixed(1) ?? ''],
  ['neighbour keeps', ({ neighbour_share }) => percent(neighbour_share)],
  ['µs/batch', ({ us_per_batch }) => microseconds(us_per_batch)],
  ['hops/s', ({ hops_per_s }) => countCell(hops_per_s)],
  ['projected µs', ({ projected_latency_us }) => microseconds(projected_latency_us)],
  ['projected IOPS', ({ projected_iops }) => countCell(projected_iops)],
  ['p50 µs', ({ p50_us }) => microseconds(p50_us)],
  ['p99 µs', ({ p99_us }) => microseconds(p99_us)],
  ['calm p99 µs', ({ calm_p99_us }) => microseconds(calm_p99_us)],
  ['p99.9 µs', ({ p999_us }) => microseconds(p999_us)],
  ['CPU s', ({ cpu_s }) => cpu_s?.toFixed(2) ?? ''],
  ['read/op', ({ bytes_read_per_op }) => bytesCell(bytes_read_per_op)],
  ['on disk', ({ size_on_disk_bytes }) => bytesCell(size_on_disk_bytes)],
  ['peak memory', ({ peak_memory_bytes }) => bytesCell(peak_memory_bytes)],
  ['peak RSS', ({ peak_rss_bytes }) => bytesCell(peak_rss_bytes)],
  ['p50 ms', ({ p50_ms }) => p50_ms?.toFixed(1) ?? ''],
  ['p99 ms', ({ p99_ms }) => p99_ms?.toFixed(1) ?? ''],
  ['CPU µs/op', ({ cpu_us_per_op }) => microseconds(cpu_us_per_op)],
  ['of a core', ({ cpu_share }) => percent(cpu_share)],
  ['workload', ({ workload_bytes }) => bytesCell(workload_bytes)],
  ['swapped out', ({ swapped_bytes }) => bytesCell(swapped_bytes)],
  ['on a disk', ({ silo_disk_bytes }) => bytesCell(silo_disk_bytes)],
  ['harvested', ({ harvested_bytes }) => bytesCell(harvested_bytes)],
  ['share', ({ harvested_share }) => percent(harvested_share)],
  ['slowdown', ({ slowdown_share }) => percent(slowdown_share)],
  ['page-ins/op', ({ page_ins_per_op }) => page_ins_per_op?.toFixed(2) ?? ''],
  ['Silo hits', ({ silo_hit_share }) => percent(silo_hit_share)],
  ['index B/pair', ({ metadata_bytes_per_pair }) => metadata_bytes_per_pair?.toFixed(1) ?? ''],
  ['hits before', ({ hit_share_before }) => percent(hit_share_before)],
  ['hits after', ({ hit_share_after }) => percent(hit_share_after)],
  ['revoked', ({ revoked_share }) => percentOfFew(revoked_share)],
  ['volume', ({ volume_share }) => percent(volume_share)],
  ['kept', ({ kept_share }) => percent(kept_share)],
  ['longest ms', ({ longest_ms }) => longest_ms?.toFixed(1) ?? ''],
];

function rowTable(rows: readonly Row[]): string {
  const sorted = [...rows].sort(fastestFirst);
  const used = columns.filter(([, cell]) => sorted.some((row) => cell(row) !== ''));
  return table(
    used.map(([head]) => head),
    sorted.map((row) => used.map(([, cell]) => cell(row))),
  );
}

function fastestFirst(a: Row, b: Row): number {
  const cost = (row: Row): number => row.instructions_per_hop ?? row.ns_per_hop ?? Infinity;
  const byRate = (b.ops_per_s ?? 0) - (a.ops_per_s ?? 0);
  return byRate !== 0 || cost(a) === cost(b) ? byRate : cost(a) - cost(b);
}

function instructionsCell(row: Row): string {
  return spreadCell(row.instructions_per_hop, row.instructions_per_hop_min, row.instructions_per_hop_max);
}

function nanosecondsCell(row: Row): string {
  return spreadCell(row.ns_per_hop, row.ns_per_hop_min, row.ns_per_hop_max);
}

function spreadCell(median: number | undefined, min: number | undefined, max: number | undefined): string {
  if (median === undefined || min === undefined || max === undefined) return countCell(median);
  return `${formatCount(median)} [${formatCount(min)} – ${formatCount(max)}]`;
}

function countCell(value: number | undefined): string {
  return value === undefined ? '' : formatCount(Math.round(value));
}

function rateCell(row: Row): string {
  const { ops_per_s, ops_per_s_min, ops_per_s_max, failed } = row;
  if (ops_per_s === undefined) return failed === undefined ? '' : `failed: ${failed}`;
  if (ops_per_s_min === undefined || ops_per_s_max === undefined) return formatCount(ops_per_s);
  return `${formatCount(ops_per_s)} [${formatCount(ops_per_s_min)} – ${formatCount(ops_per_s_max)}]`;
}

function microseconds(value: number | undefined): string {
  if (value === undefined) return '';
  return value >= 100 ? formatCount(value) : value.toFixed(value >= 10 ? 1 : 2);
}

function percent(share: number | undefined): string {
  return share === undefined ? '' : `${(share * 100).toFixed(1)} %`;
}
/** Of shares that lie far below one per cent. */
function percentOfFew(share: number | undefined): string {
  return share === undefined ? '' : `${(share * 100).toFixed(3)} %`;
}

function bytesCell(value: number | undefined): string {
  return value === undefined ? '' : formatBytes(value);
}

function describe(name: string, value: unknown): string[] {
  const label = name.replaceAll('_', ' ');
  if (name.startsWith('targets')) return [];
  if (typeof value === 'number' && name.endsWith('_bytes'))
    return [`${label.slice(0, -6)}: ${formatBytes(value)}`];
  if (typeof value === 'number') return [`${label}: ${Number.isInteger(value) ? formatCount(value) : value}`];
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([key, text]) => `**${key}**: ${String(text)}`);
  }
  return [`${label}: ${value === null ? 'none' : JSON.stringify(value)}`];
}

function list(items: readonly string[]): string {
  return items.map((item) => `- ${item}`).join('\n');
}

export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.map(escapeCell).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function escapeCell(text: string): string {
  return text.replaceAll('|', '\\|').replace(/\s+/g, ' ');
}
