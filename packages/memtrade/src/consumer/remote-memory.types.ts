/** What goes into leased memory, and what can be seen of it. */
import type { LossReason, SealMode } from '@exopool/native/internal';
import type { CacheTierStats, Identity } from '@exopool/shared';
import type { BrokerClient } from '../protocol/broker-client.js';
import type { SecondCopyStats } from './second-copy.js';

/** What is needed of a broker; its client is one. */
export type LeaseMarket = Pick<BrokerClient, 'requestLease' | 'extendLease' | 'releaseLease'>;

/** Long enough that extensions are rare, short enough that a price is not paid for long after it has fallen. */
export const defaultLeaseSeconds = 600;

export interface LeaseOptions {
  readonly broker: LeaseMarket;
  readonly identity: Identity;
  /** To lease, in the market's slabs. */
  readonly slabs: number;
  /** `open` fails with fewer; default 1. With 0 it starts with nothing and leases when there is something. */
  readonly minimumSlabs?: number;
  /** Default 600. */
  readonly leaseSeconds?: number;
  /** US dollars per GiB and hour; default any. */
  readonly maxPrice?: number;
  /** Asked a few times a second, instead of `slabs` and `maxPrice`, which only say how it begins. */
  readonly plan?: () => LeasePlan;
}

export interface RemoteMemoryOptions extends LeaseOptions {
  /** Default 'aes-128-gcm'. */
  readonly seal?: SealMode;
  /** Share of the slabs, at most, for second copies of what is hot, with producers of their own; default 0. */
  readonly secondCopy?: number;
}

/** What is wanted now. */
export interface LeasePlan {
  readonly slabs: number;
  /** US dollars per GiB and hour; any when left out. */
  readonly maxPrice?: number | undefined;
  /** US dollars an hour for all leases together; any when left out. */
  readonly budget?: number | undefined;
}

/** The market's usual slab: what a slab is taken for before the first lease tells. */
export const usualSlabBytes = 64 * 1024 * 1024;

export interface LeaseInfo {
  /** Hexadecimal. */
  readonly id: string;
  readonly endpoint: string;
  readonly slabs: number;
  readonly slabBytes: number;
  readonly expiresAtMs: number;
  readonly open: boolean;
  /** US dollars per GiB and hour. */
  readonly price: number;
  /** US dollars so far. */
  readonly charged: number;
}

export interface LeaseStats {
  readonly leases: number;
  /** In open sessions. */
  readonly leasedSlabs: number;
  readonly requests: number;
  readonly extensions: number;
  /** Sessions lost, by reason. */
  readonly lost: Readonly<Record<LossReason, number>>;
  readonly brokerFailures: number;
  readonly connectFailures: number;
  /** US dollars for the leases of now and before, less what was refunded. */
  readonly charged: number;
  /** What went wrong last, for people. */
  readonly lastFailure: string | undefined;
}

export interface ConsumerStats extends LeaseStats {
  readonly tier: CacheTierStats;
  readonly copies?: SecondCopyStats;
}
