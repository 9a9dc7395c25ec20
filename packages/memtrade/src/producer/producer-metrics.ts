/** The producer's Prometheus metrics, read from its state at each scrape. */
import { Gauge, Histogram, Registry, serveMetrics, type MetricsServer } from '@exopool/shared';
import type { ProducerStats } from './producer-stats.js';

const gauges: readonly (readonly [name: string, help: string, read: (stats: ProducerStats) => number])[] = [
  ['offered_slabs', 'Slabs offered, leased or free', (stats) => stats.offeredSlabs],
  ['leased_slabs', 'Slabs in leases that consumers opened', (stats) => stats.server.leasedSlabs],
  ['sessions', 'Open sessions', (stats) => stats.server.sessions],
  ['available_bytes', "The machine's available memory", (stats) => stats.availableBytes],
  ['reads', 'Ranges read since the start', (stats) => stats.server.reads],
  ['writes', 'Ranges written since the start', (stats) => stats.server.writes],
  ['read_bytes', 'Bytes read since the start', (stats) => stats.server.bytesRead],
  ['written_bytes', 'Bytes written since the start', (stats) => stats.server.bytesWritten],
  [
    'over_rate_requests',
    'Requests refused because their lease was over its rate',
    (stats) => stats.server.overRate,
  ],
  ['taken_slabs', 'Slabs taken from leases since the start', (stats) => stats.server.takenSlabs],
  ['released_slabs', 'Slabs given back or expired since the start', (stats) => stats.server.releasedSlabs],
  ['reclaims_asked', 'Times that consumers were asked for slabs', (stats) => stats.reclaims.asked],
  ['reclaims_urgent', 'Times that slabs were taken without asking', (stats) => stats.reclaims.emergencies],
  ['server_cpu_seconds', 'CPU time of the slab server', (stats) => stats.server.cpuSeconds],
  ['harvested_bytes', 'Memory harvested from the application', (stats) => stats.harvest.harvestedBytes],
  ['application_bytes', "The application's memory", (stats) => stats.harvest.usageBytes],
  ['application_limit_bytes', 'Its limit; 0 is none', (stats) => stats.harvest.limitBytes ?? 0],
  ['harvest_steps', 'Times that the limit was lowered', (stats) => stats.harvest.steps],
  ['harvest_drops', 'Performance drops, each of which lifted the limit', (stats) => stats.harvest.drops],
  [
    'idle_pushed_bytes',
    'Idle memory pushed out, with --victims idle',
    (stats) => stats.harvest.aim?.pushedBytes ?? 0,
  ],
  [
    'prefetched_bytes',
    'Memory brought back before the application needed it',
    (stats) => stats.harvest.prefetchedBytes,
  ],
  [
    'silo_stored_bytes',
    'Pages pushed out, before compression',
    (stats) => stats.harvest.silo?.storedBytes ?? 0,
  ],
  [
    'silo_memory_bytes',
    'Memory that the compressed pages take',
    (stats) => stats.harvest.silo?.memoryBytes ?? 0,
  ],
  ['silo_disk_bytes', 'Pages that were moved on to a disk', (stats) => stats.harvest.silo?.diskBytes ?? 0],
  [
    'silo_compression_ratio',
    'Bytes before compression for one after',
    (stats) => stats.harvest.silo?.compressionRatio ?? 1,
  ],
  [
    'silo_hit_ratio',
    'Share of the pages brought back that came from memory',
    (stats) => stats.harvest.silo?.hitRate ?? 1,
  ],
  ['broker_connected', '1 as long as the broker answers', (stats) => (stats.broker === 'connected' ? 1 : 0)],
];

/** From an emergency (some milliseconds) to a long grace period. */
const reclaimBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

export class ProducerMetrics {
  readonly #registry = new Registry();
  readonly #reclaims = new Histogram({
    name: 'exopool_producer_reclaim_seconds',
    help: 'Time for which more was leased than the machine could spare',
    buckets: reclaimBuckets,
    registers: [this.#registry],
  });

  reclaimed(ms: number): void {
    this.#reclaims.observe(ms / 1000);
  }

  /** Serves `stats`, and what was observed, at /metrics. */
  serve(stats: () => ProducerStats, host: string, port: number): Promise<MetricsServer> {
    const all = gauges.map(([name, help, read]) => ({
      gauge: new Gauge({ name: `exopool_producer_${name}`, help, registers: [this.#registry] }),
      read,
    }));
    // One snapshot fills all gauges: collecting the first one sets them all.
    Object.assign(all[0]!.gauge, {
      collect: () => {
        const now = stats();
        for (const { gauge, read } of all) gauge.set(read(now));
      },
    });
    return serveMetrics(this.#registry, host, port);
  }
}
