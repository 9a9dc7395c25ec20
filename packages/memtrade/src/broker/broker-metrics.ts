/** The broker's Prometheus metrics, read from the market at each scrape. */
import { Counter, Gauge, Registry, serveMetrics, type ErrorCode, type MetricsServer } from '@exopool/shared';
import type { LeaseBook } from './lease-book.js';
import type { MarketView } from './lease-book-types.js';
import { toDollars } from './market/billing.js';

const gauges: readonly (readonly [name: string, help: string, read: (view: MarketView) => number])[] = [
  ['exopool_broker_producers', 'Producers that reported lately', (view) => view.producers],
  ['exopool_broker_offered_slabs', 'Slabs offered by them, leased or free', (view) => view.offeredSlabs],
  ['exopool_broker_leased_slabs', 'Slabs in live leases', (view) => view.leasedSlabs],
  ['exopool_broker_leases', 'Live leases', (view) => view.leases],
  ['exopool_broker_harvested_bytes', 'Bytes that producers harvested', (view) => view.harvestedBytes],
  ['exopool_broker_price_dollars', 'Price of a GiB for an hour', (view) => toDollars(view.price)],
  [
    'exopool_broker_spot_price_dollars',
    'Spot price of a GiB for an hour',
    (view) => toDollars(view.spotPrice),
  ],
  ['exopool_broker_revenue_dollars', 'Charged to consumers less refunds', (view) => toDollars(view.revenue)],
  [
    'exopool_broker_commission_dollars',
    "The broker's part of the revenue",
    (view) => toDollars(view.commission),
  ],
];

export class BrokerMetrics {
  readonly #registry = new Registry();
  readonly #refused: Counter;

  constructor(book: LeaseBook) {
    const registers = [this.#registry];
    const all = gauges.map(([name, help, read]) => ({ gauge: new Gauge({ name, help, registers }), read }));
    // One snapshot fills all gauges: collecting the first one sets them all.
    Object.assign(all[0]!.gauge, {
      collect: () => {
        const view = book.market(Date.now());
        for (const { gauge, read } of all) gauge.set(read(view));
      },
    });
    this.#refused = new Counter({
      name: 'exopool_broker_refused_total',
      help: 'Calls refused, by error code',
      labelNames: ['code'],
      registers,
    });
  }

  refused(code: ErrorCode): void {
    this.#refused.inc({ code });
  }

  serve(host: string, port: number): Promise<MetricsServer> {
    return serveMetrics(this.#registry, host, port);
  }
}
