/** The closing table: all results of the run, also the unfavourable ones. */
import Table from 'cli-table3';
import { formatBytes, formatCount } from '@exopool/shared';
import { volumeReadsPerSecond } from './disk-limit.js';
import { ratiosOf, type Check, type DemoResult } from './result.js';
import type { Disk } from './schedule.js';
import { median, share, tiers, type LatencySummary } from './statistics.js';

export function closingTable(result: DemoResult): string {
  const { data, engine, cacheBytes, leasedBytes } = result;
  const setting =
    `${data.name}: ${formatCount(data.entries)} entries, ${formatBytes(data.bytes)}; ` +
    `${formatBytes(cacheBytes)} of local memory, ${formatBytes(leasedBytes)} leased; engine ${engine}`;
  return [
    setting,
    readsTable(result, 'own', "this machine's disk"),
    readsTable(result, 'limited', `${formatCount(volumeReadsPerSecond)} reads/s, as a network volume`),
    factsTable(result),
    checksTable(result.checks),
  ].join('\n');
}

function readsTable(result: DemoResult, disk: Disk, title: string): string {
  const { without, with: withTier } = result.disks[disk];
  if (without.latency.all.count === 0)
    return `a disk of ${title}: not measured: ${result.limitedSkipped ?? ''}`;
  const table = plainTable([title, 'without remote tier', 'with remote tier', 'gain']);
  const ratios = ratiosOf(result);
  const gain = (name: string): string => times(ratios[`${name}_${disk}_disk`]);
  table.push(
    [
      'reads per second',
      perSecond(without.readsPerSecond),
      perSecond(withTier.readsPerSecond),
      gain('reads_per_second'),
    ],
    ['p50, µs', micros(without.latency.all.p50Us), micros(withTier.latency.all.p50Us), gain('p50')],
    ['p99, µs', micros(without.latency.all.p99Us), micros(withTier.latency.all.p99Us), gain('p99')],
    ...tiers.map((tier) => [
      `from ${tier}`,
      tierCell(without.latency[tier], without.latency.all.count),
      tierCell(withTier.latency[tier], withTier.latency.all.count),
      '',
    ]),
  );
  return table.toString();
}

function factsTable(result: DemoResult): string {
  const { market, redis, comparison, lookups } = result;
  const table = plainTable(['beside that', '']);
  table.push(
    ['leases', `${market.leases}, at ${market.price.toFixed(4)} $/GiB·h, paid ${dollars(market.charged)}`],
    ['harvested beside Redis', formatBytes(result.harvestedBytes)],
  );
  if (redis) {
    const { before, during, beside } = redis.windows;
    const windows = ([before, during, beside] as const).map(({ count, p50Us, p99Us }) =>
      count === 0 ? '-' : `${micros(p50Us)} / ${micros(p99Us)}`,
    );
    table.push([
      'Redis p50 / p99, µs',
      `${windows[0]} before, ${windows[1]} while harvested, ${windows[2]} beside the readers`,
    ]);
  } else {
    table.push(['Redis', `not measured: ${result.redisSkipped ?? 'no reason given'}`]);
  }
  const used = Object.entries(lookups).filter(([, count]) => count > 0);
  const byEngine = used.map(([engine, count]) => `${formatCount(count)} by ${engine}`);
  table.push(['lookups in the table', byEngine.join(', ')]);
  if (comparison) {
    const { engine, keys, differences } = comparison;
    table.push([
      'engines compared',
      `${formatCount(keys)} keys by pread and ${engine}: ${differences} differ`,
    ]);
  }
  return table.toString();
}

function checksTable(checks: Readonly<Record<string, Check>>): string {
  const table = plainTable(['check', '']);
  for (const [name, check] of Object.entries(checks)) {
    table.push([name, typeof check === 'object' ? `skipped: ${check.skipped}` : check ? 'ok' : 'FAILED']);
  }
  return table.toString();
}

/** No colours, for logs. */
function plainTable(head: string[]): Table.Table {
  return new Table({ head, style: { head: [], border: [], compact: true } });
}

function perSecond(slices: readonly number[]): string {
  if (slices.length < 2) return slices.length === 0 ? '-' : formatCount(slices[0]!);
  const spread = `${formatCount(Math.min(...slices))} … ${formatCount(Math.max(...slices))}`;
  return `${formatCount(median(slices))} (${spread})`;
}

function tierCell(latency: LatencySummary, all: number): string {
  if (latency.count === 0) return '-';
  const percent = (share(latency.count, all) * 100).toFixed(1);
  return `${percent} %, p50 ${micros(latency.p50Us)}, p99 ${micros(latency.p99Us)}`;
}

export function micros(value: number): string {
  return value >= 100 ? formatCount(value) : value.toFixed(1);
}

/** Leasing some megabytes for a minute costs millionths of a dollar. */
export function dollars(value: number): string {
  return value >= 0.01 ? `${value.toFixed(2)} $` : `${(value * 1e6).toFixed(1)} µ$`;
}

function times(ratio: number | undefined): string {
  return ratio === undefined ? '' : `${ratio.toFixed(2)}×`;
}
