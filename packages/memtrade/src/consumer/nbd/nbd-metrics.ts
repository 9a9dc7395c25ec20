/** The Prometheus metrics of a block device. */
import { nbdPageBytes, type NbdStats } from '@exopool/native/internal';
import { Counter, Gauge, Registry, serveMetrics, type MetricsServer } from '@exopool/shared';
import { leaseCounters, leaseGauges, registerLeaseMetrics, type Figure } from '../consumer-metrics.js';
import type { LeaseStats } from '../remote-memory.types.js';

const gauges: readonly Figure<NbdStats>[] = [
  ['leased_bytes', 'Pages in leased memory', (stats) => stats.leasedUsed * nbdPageBytes],
  [
    'leased_capacity_bytes',
    'Leased memory that may hold pages',
    (stats) => stats.leasedCapacity * nbdPageBytes,
  ],
  ['dirty_bytes', 'Pages on their way to the backing file', (stats) => stats.dirty * nbdPageBytes],
];

const counters: readonly Figure<NbdStats>[] = [
  ['read_leased_pages_total', 'Pages read from leased memory', (stats) => stats.readLeased],
  ['read_buffered_pages_total', 'Pages read from the write-behind buffer', (stats) => stats.readBuffered],
  ['read_file_pages_total', 'Pages read from the backing file', (stats) => stats.readFile],
  ['read_zero_pages_total', 'Pages read that hold nothing', (stats) => stats.readZero],
  ['tampered_pages_total', 'Pages that leased memory gave back otherwise', (stats) => stats.tampered],
  ['lost_pages_total', 'Pages that leased memory did not give back', (stats) => stats.lost],
  ['corrupt_pages_total', 'Pages that the backing file gave back otherwise', (stats) => stats.corrupt],
  ['written_pages_total', 'Pages written', (stats) => stats.written],
  ['written_leased_pages_total', 'Pages put into leased memory', (stats) => stats.writtenLeased],
  ['discarded_pages_total', 'Pages discarded', (stats) => stats.discarded],
  ['evicted_pages_total', 'Pages that made room in leased memory', (stats) => stats.evictions],
  ['flushes_total', 'Flushes', (stats) => stats.flushes],
  ['file_pages_total', 'Pages written to the backing file', (stats) => stats.fileWritten],
  ['file_failures_total', 'Failures to write to the backing file', (stats) => stats.fileFailures],
];

/** Serves metrics of a block device. Port 0 takes a free one. */
export function serveNbdMetrics(
  host: string,
  port: number,
  leases: () => LeaseStats,
  device: () => Promise<NbdStats>,
): Promise<MetricsServer> {
  const registry = new Registry();
  registerLeaseMetrics(registry, leaseGauges, leaseCounters, leases);
  // All figures of one scrape come from one question.
  let asked: Promise<NbdStats> | undefined;
  const figures = (): Promise<NbdStats> =>
    (asked ??= device().finally(() => {
      asked = undefined;
    }));
  const registers = [registry];
  for (const [name, help, read] of gauges) {
    const collect = async function (this: Gauge): Promise<void> {
      this.set(read(await figures()));
    };
    new Gauge({ name: `exopool_nbd_${name}`, help, registers, collect });
  }
  for (const [name, help, read] of counters) {
    const collect = async function (this: Counter): Promise<void> {
      const count = read(await figures());
      this.reset();
      this.inc(count);
    };
    new Counter({ name: `exopool_nbd_${name}`, help, registers, collect });
  }
  return serveMetrics(registry, host, port);
}
