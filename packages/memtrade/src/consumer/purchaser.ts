/**
 * Asks the purchase policy at intervals how much to lease, from the market's price and the requests.
 *
 * While the broker is away, the last price counts. Before it has seen enough requests, the plan stays as at the start.
 * The budget is part of the plan, since the price may change before a lease is taken or extended.
 */
import { ExopoolError, GiB } from '@exopool/shared';
import type { BrokerClient } from '../protocol/broker-client.js';
import type { ConsumerConfig } from './config.js';
import type { Demand, DemandSampler } from './demand-sampler.js';
import { decidePurchase, type Purchase } from './purchase-policy.js';
import { usualSlabBytes, type LeaseInfo, type LeasePlan } from './remote-memory.types.js';

/** Prices move slowly, and the curve needs requests to change. */
const intervalMs = 10_000;

export interface PurchaserOptions {
  readonly market: Pick<BrokerClient, 'getMarket'>;
  readonly demand: () => Demand;
  /** The number and the size of the slabs that are leased now. */
  readonly held: () => { readonly slabs: number; readonly slabBytes: number };
  readonly slabsMax: number;
  /** The number of slabs until enough requests were seen. */
  readonly slabsAtFirst: number;
  readonly missSeconds: number;
  /** US dollars an hour. */
  readonly waitingPrice: number;
  readonly budget: number | undefined;
  /** US dollars per GiB and hour. */
  readonly maxPrice: number | undefined;
}

/** With fewer requests the curve means nothing. */
const usesMin = 1000;

export class Purchaser {
  readonly #options: PurchaserOptions;
  readonly #timer: NodeJS.Timeout;
  #price: number | undefined;
  #slabs: number;
  #last: Purchase | undefined;

  constructor(options: PurchaserOptions) {
    this.#options = options;
    this.#slabs = Math.min(options.slabsAtFirst, options.slabsMax);
    this.#timer = setInterval(() => void this.decide(), intervalMs).unref();
  }

  /** The last decision; `undefined` before the first one. */
  get last(): Purchase | undefined {
    return this.#last;
  }

  get plan(): LeasePlan {
    const { budget, maxPrice } = this.#options;
    return { slabs: this.#slabs, maxPrice, budget };
  }

  close(): void {
    clearInterval(this.#timer);
  }

  async decide(): Promise<void> {
    const { market, demand, held, slabsMax, missSeconds, waitingPrice, budget } = this.#options;
    this.#price = await market.getMarket().then(
      ({ price }) => price,
      () => this.#price,
    );
    const { curve, requestsPerSecond, hitSeconds, uses } = demand();
    const { slabs: heldSlabs, slabBytes } = held();
    if (this.#price === undefined || uses < usesMin) return;
    this.#last = decidePurchase({
      curve,
      requestsPerSecond,
      missPenaltySeconds: missSeconds - hitSeconds,
      waitingPricePerHour: waitingPrice,
      slabPricePerHour: (this.#price * slabBytes) / GiB,
      slabBytes,
      slabsMax,
      heldSlabs,
      budgetPerHour: budget,
    });
    this.#slabs = this.#last.slabs;
  }
}

/**
 * A purchaser by a consumer's settings; `undefined` when they ask for a fixed number of slabs.
 * @throws ExopoolError `EXOPOOL_CONFIG` for incomplete settings.
 */
export function openPurchaser(
  config: ConsumerConfig,
  market: PurchaserOptions['market'],
  demand: DemandSampler | undefined,
  leases: () => readonly LeaseInfo[],
): Purchaser | undefined {
  const { waitingPrice, missMs, budget, maxPrice, slabs, minimumSlabs } = config;
  if (waitingPrice === undefined || missMs === undefined || demand === undefined) {
    if (waitingPrice === undefined && missMs === undefined && budget === undefined) return undefined;
    throw new ExopoolError(
      'EXOPOOL_CONFIG',
      'the purchase policy needs --waiting-price and --miss-ms: give both, with or without --budget',
    );
  }
  return new Purchaser({
    market,
    demand: () => demand.look(),
    held: () => ({
      slabs: leases().reduce((sum, lease) => sum + lease.slabs, 0),
      slabBytes: leases()[0]?.slabBytes ?? usualSlabBytes,
    }),
    slabsMax: slabs,
    slabsAtFirst: Math.max(1, minimumSlabs),
    missSeconds: missMs / 1000,
    waitingPrice,
    budget,
    maxPrice,
  });
}
