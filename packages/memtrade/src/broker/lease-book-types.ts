/** The inputs and outputs of the market's state machine. Keys and ids are hexadecimal strings. */
import type { LeaseTerm, NanoDollars } from './market/billing.js';
import type { PricingSettings } from './market/pricing.js';
import type { LeaseRecord } from './repository.js';

export interface LeaseBookSettings extends PricingSettings {
  readonly slabBytes: number;
  /** 0..1. */
  readonly commissionShare: number;
  readonly leaseSecondsMax: number;
}

export interface UsageReport {
  readonly offeredSlabs: number;
  readonly harvestedBytes: number;
  readonly cpuLoad: number;
}

export interface LeaseRequest {
  readonly slabs: number;
  readonly minimumSlabs: number;
  readonly seconds: number;
  /** Per GiB and hour; 0 is any. */
  readonly maxPrice: NanoDollars;
  readonly requestId: string;
}

export interface Extension {
  readonly leaseId: string;
  readonly seconds: number;
  readonly maxPrice: NanoDollars;
  /** The serial of the caller's ticket. */
  readonly serial: number;
}

/** A lease, with the address and the ticket that its consumer needs. */
export interface Grant {
  readonly lease: LeaseRecord;
  readonly term: LeaseTerm;
  readonly endpoint: string;
  readonly ticket: Buffer;
}

export interface MarketView {
  readonly timeMs: number;
  readonly price: NanoDollars;
  readonly spotPrice: NanoDollars;
  /** Producers that reported lately. */
  readonly producers: number;
  readonly offeredSlabs: number;
  readonly leasedSlabs: number;
  readonly leases: number;
  readonly harvestedBytes: number;
  readonly revenue: NanoDollars;
  readonly commission: NanoDollars;
}
