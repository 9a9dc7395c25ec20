/** Options and figures of leased memory. */
import type { LossReason, SealMode } from '@exopool/native/internal';
import { MiB, type CacheTierStats, type Identity } from '@exopool/shared';
import type { BrokerClient } from '../protocol/broker-client.js';
import { slabMibDefault } from '../protocol/common-settings.js';
import type { SecondCopyStats } from './second-copy.js';

/** The calls to a broker that leases need; `BrokerClient` has them. */
export type LeaseMarket = Pick<BrokerClient, 'requestLease' | 'extendLease' | 'releaseLease'>;

/** Long enough that extensions are rare, short enough to benefit from a falling price. */
export const defaultLeaseSeconds = 600;

/** How much to lease, from which broker, and at what price. */
export interface LeaseOptions {
  readonly broker: LeaseMarket;
  readonly identity: Identity;
  /** The number of slabs to lease. */
  readonly slabs: number;
  /** `open` fails when it gets fewer slabs; default 1. With 0 it may start without any, and leases them later. */
  readonly minimumSlabs?: number;
  /** The length of a lease; default {@link defaultLeaseSeconds}. */
  readonly leaseSeconds?: number;
  /** Highest price in US dollars per GiB and hour; no limit by default. */
  readonly maxPrice?: number;
  /** Called four times a second. Its plan replaces `slabs` and `maxPrice`, which then apply only to the start. */
  readonly plan?: () => LeasePlan;
}

/** How to lease memory, and how to keep values in it. */
export interface RemoteMemoryOptions extends LeaseOptions {
  /** The protection of values; default 'aes-128-gcm'. */
  readonly seal?: SealMode;
  /** Largest share of the slabs for second copies of hot values, with other producers; default 0. */
  readonly secondCopy?: number;
}

/** How much to lease now. */
export interface LeasePlan {
  readonly slabs: number;
  /** US dollars per GiB and hour; no limit by default. */
  readonly maxPrice?: number | undefined;
  /** US dollars an hour for all leases together; no limit by default. */
  readonly budget?: number | undefined;
}

/** The assumed size of a slab until the first lease tells its real size. */
export const usualSlabBytes = slabMibDefault * MiB;

/** One lease. */
export interface LeaseInfo {
  /** Hexadecimal. */
  readonly id: string;
  readonly endpoint: string;
  readonly slabs: number;
  readonly slabBytes: number;
  readonly expiresAtMs: number;
  /** True while its session is open. */
  readonly open: boolean;
  /** US dollars per GiB and hour. */
  readonly price: number;
  /** US dollars charged so far. */
  readonly charged: number;
}

/** The figures of all leases, now and since the start. */
export interface LeaseStats {
  readonly leases: number;
  /** Slabs in open sessions. */
  readonly leasedSlabs: number;
  readonly requests: number;
  readonly extensions: number;
  /** Sessions lost, by reason. */
  readonly lost: Readonly<Record<LossReason, number>>;
  readonly brokerFailures: number;
  readonly connectFailures: number;
  /** US dollars charged for all leases since the start, less refunds. */
  readonly charged: number;
  /** The message of the last failure. */
  readonly lastFailure: string | undefined;
}

/** The figures of leased memory and its cache. */
export interface ConsumerStats extends LeaseStats {
  readonly tier: CacheTierStats;
  readonly copies?: SecondCopyStats;
}
