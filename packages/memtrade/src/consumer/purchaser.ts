/**
 * Asks the policy now and then what to lease, with what it knows of the market and of the requests.
 *
 * The broker may be away: then the last known price counts. Until there were enough requests to learn from, it stays
 * at what it began with. The budget is part of the plan, since prices may move before a lease is taken or extended.
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
  /** What is held now, and how large a slab is when that is known. */
  readonly held: () => { readonly slabs: number; readonly slabBytes: number };
  readonly slabsMax: number;
  /** To begin with, until there were requests to learn from. */
  readonly slabsAtFirst: number;
  readonly missSeconds: number;
  /** US dollars an hour. */
  readonly waitingPrice: number;
  readonly budget: number | undefined;
  /** US dollars per GiB and hour. */
  readonly maxPrice: number | undefined;
}

/** Requests before the curve says something. */
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

  /** What was decided last; `undefined` before there was anything to decide on. */
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
 * As a consumer's settings ask for it; `undefined` when they ask for a fixed number.
 * @throws ExopoolError `EXOPOOL_CONFIG` for settings that do not go together.
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
      'to lease what is worth its price, --waiting-price and --miss-ms are both needed; --budget goes with them',
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
