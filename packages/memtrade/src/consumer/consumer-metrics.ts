/** The consumer's Prometheus metrics, read from its statistics at each scrape. */
import { Counter, Gauge, Registry, serveMetrics, type MetricsServer } from '@exopool/shared';
import type { ProbeCounts } from './probe.js';
import type { ConsumerStats, LeaseStats } from './remote-memory.types.js';

/** A figure, and where it is read. */
export type Figure<S> = readonly [name: string, help: string, read: (stats: S) => number];

/** Every keeper of leases has these. */
export const leaseGauges: readonly Figure<LeaseStats>[] = [
  ['leases', 'Leases held', (stats) => stats.leases],
  ['leased_slabs', 'Slabs in open sessions', (stats) => stats.leasedSlabs],
  ['charged_dollars', 'Paid for leases so far, less refunds', (stats) => stats.charged],
];

export const leaseCounters: readonly Figure<LeaseStats>[] = [
  ['lease_requests_total', 'Requests for leases', (stats) => stats.requests],
  ['lease_extensions_total', 'Leases extended', (stats) => stats.extensions],
  ['sessions_revoked_total', 'Sessions lost to a revocation', (stats) => stats.lost.revoked],
  ['sessions_expired_total', 'Sessions lost to the end of the lease', (stats) => stats.lost.expired],
  ['sessions_closed_total', 'Sessions lost with their connection', (stats) => stats.lost.closed],
  ['broker_failures_total', 'Calls to the broker that failed', (stats) => stats.brokerFailures],
  ['connect_failures_total', 'Sessions that could not be opened', (stats) => stats.connectFailures],
];

const cacheGauges: readonly Figure<ConsumerStats>[] = [
  ['capacity_bytes', 'Bytes that could be held', (stats) => stats.tier.capacityBytes],
  ['value_bytes', 'Bytes of values held', (stats) => stats.tier.bytes],
  ['entries', 'Values held', (stats) => stats.tier.entries],
  ['second_copies', 'Values that are there twice', (stats) => stats.copies?.copies ?? 0],
];

const cacheCounters: readonly Figure<ConsumerStats>[] = [
  ['hits_total', 'Values found', (stats) => stats.tier.hits],
  ['misses_total', 'Values not found', (stats) => stats.tier.misses],
  ['puts_total', 'Values offered', (stats) => stats.tier.puts],
  ['rejected_total', 'Values not admitted', (stats) => stats.tier.rejected],
  ['evictions_total', 'Values pushed out', (stats) => stats.tier.evictions],
  ['rescued_total', 'Values found in their second copy', (stats) => stats.copies?.rescued ?? 0],
  ['tampered_total', 'Values whose seal did not verify', (stats) => stats.tier.tampered],
];

const probeCounters: readonly (readonly [
  name: string,
  help: string,
  read: (counts: ProbeCounts) => number,
])[] = [
  ['probe_good_total', 'Probe values that came back as written', (counts) => counts.good],
  ['probe_missing_total', 'Probe values that did not come back', (counts) => counts.missing],
  ['probe_wrong_total', 'Probe values that came back otherwise', (counts) => counts.wrong],
  ['probe_reads_total', 'Probe batches read', (counts) => counts.reads],
  ['probe_read_seconds_total', 'Time of these reads', (counts) => counts.readSeconds],
];

/** Serves metrics of a consumer. Port 0 takes a free one. */
export function serveConsumerMetrics(
  host: string,
  port: number,
  stats: () => ConsumerStats,
  probe: () => ProbeCounts | undefined,
): Promise<MetricsServer> {
  const registers = [new Registry()];
  registerLeaseMetrics(
    registers[0]!,
    [...leaseGauges, ...cacheGauges],
    [...leaseCounters, ...cacheCounters],
    stats,
  );
  for (const [name, help, read] of probe() === undefined ? [] : probeCounters) {
    new Counter({
      name: `exopool_consumer_${name}`,
      help,
      registers,
      collect: countTo(() => read(probe()!)),
    });
  }
  return serveMetrics(registers[0]!, host, port);
}

/** Registers figures of a consumer, which are read when they are asked for. */
export function registerLeaseMetrics<S>(
  registry: Registry,
  gauges: readonly Figure<S>[],
  counters: readonly Figure<S>[],
  stats: () => S,
): void {
  const registers = [registry];
  for (const [name, help, read] of gauges) {
    new Gauge({ name: `exopool_consumer_${name}`, help, registers, collect: setTo(() => read(stats())) });
  }
  for (const [name, help, read] of counters) {
    new Counter({ name: `exopool_consumer_${name}`, help, registers, collect: countTo(() => read(stats())) });
  }
}

function setTo(read: () => number): (this: Gauge) => void {
  return function (this: Gauge) {
    this.set(read());
  };
}

/** The statistics count already; the metric follows them. */
function countTo(read: () => number): (this: Counter) => void {
  return function (this: Counter) {
    this.reset();
    this.inc(read());
  };
}
