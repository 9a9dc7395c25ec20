/**
 * The broker's durable state: producers, leases and the ledger. Ended leases stay until `prune`.
 *
 * Usage reports are not stored: each producer sends a new one every second. Keys and ids are hexadecimal strings. Calls
 * are synchronous, and `transaction` makes several of them atomic.
 */
import type { LeaseTerm, NanoDollars, Posting } from './market/billing.js';

export interface ProducerRecord {
  readonly key: string;
  /** HOST:PORT of the slab server. */
  readonly endpoint: string;
}

export interface LeaseRecord {
  readonly id: string;
  readonly producer: string;
  readonly consumer: string;
  readonly slabs: number;
  readonly slabBytes: number;
  /** The consumer's id of the request; empty without one. */
  readonly requestId: string;
  /** The grant and its extensions, in order; never empty. */
  readonly terms: readonly LeaseTerm[];
  /** The time and the refund of its release; `undefined` before that. */
  readonly released: { readonly atMs: number; readonly refunded: NanoDollars } | undefined;
}

/** A place in the order of a producer's leases: by their ends, then by their ids. */
export interface LeaseEnd {
  readonly endMs: number;
  readonly id: string;
}

export interface LedgerTransaction {
  readonly timeMs: number;
  readonly kind: 'charge' | 'refund';
  readonly leaseId: string;
  readonly postings: readonly Posting[];
}

export interface LedgerTotals {
  /** Paid by consumers, less refunds. */
  readonly revenue: NanoDollars;
  /** The broker's part of it. */
  readonly commission: NanoDollars;
  /** The sum of all accounts; anything but zero is a fault. */
  readonly balance: NanoDollars;
}

export interface Repository {
  /** Runs `work` as one step: all of it is kept, or, when it throws, nothing. */
  transaction<T>(work: () => T): T;

  saveProducer(producer: ProducerRecord): void;
  removeProducer(key: string): void;
  producers(): ProducerRecord[];

  insertLease(lease: LeaseRecord): void;
  addTerm(leaseId: string, term: LeaseTerm): void;
  markReleased(leaseId: string, atMs: number, refunded: NanoDollars): void;
  lease(id: string): LeaseRecord | undefined;
  leasesOfRequest(consumer: string, requestId: string): LeaseRecord[];
  /** Number of leases, and slabs by producer, of those that end after `afterMs` and were not given back. */
  live(afterMs: number): { readonly leases: number; readonly slabsByProducer: ReadonlyMap<string, number> };
  /** Leases of a producer that were given back, by the end that they would have had, from behind `after` on. */
  releasedLeases(producer: string, after: LeaseEnd, limit: number): LeaseEnd[];
  /**
   * Forgets leases that ended by `endedByMs`, the oldest first and `limit` at most, with their terms and their lines of
   * the ledger. What these came to stays in the accounts.
   * @returns how many.
   */
  prune(endedByMs: number, limit: number): number;

  post(transaction: LedgerTransaction): void;
  totals(): LedgerTotals;

  close(): void;
}
