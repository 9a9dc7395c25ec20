/**
 * Billing: charges, commissions and refunds, in integers so that the ledger balances to the last unit.
 *
 *   charge = slabs × bytes of a slab × time × price        for the whole term, when it is granted
 *   refund = charge × unused time ÷ time of the term       when a lease is given back
 *
 * Money is in billionths of a US dollar. A slab of 64 MiB at 0.005 $/GiB·h costs 86.8 of them a second, so a rounding
 * error is below a millionth of a cent a lease. Charges and refunds are rounded down. Every transaction is a set of
 * {@link Posting}s whose sum is zero.
 */
import { GiB } from '@exopool/shared';

/** Billionths of a US dollar. */
export type NanoDollars = bigint;

const nanoPerDollar = 1_000_000_000;
const hourMs = 3_600_000;
/** The commission's share is applied in millionths, to stay in integers. */
const shareScale = 1_000_000;

export function fromDollars(dollars: number): NanoDollars {
  return BigInt(Math.round(dollars * nanoPerDollar));
}

/** Dollars for output and messages; exact up to nine million. */
export function toDollars(nano: NanoDollars): number {
  return Number(nano) / nanoPerDollar;
}

/** A part of a lease that was charged at once: the grant or one extension. */
export interface LeaseTerm {
  /** 0 for the grant, and one more for each extension; also the serial of its ticket. */
  readonly serial: number;
  readonly startMs: number;
  readonly endMs: number;
  /** Per GiB and hour. */
  readonly price: NanoDollars;
  readonly charged: NanoDollars;
  /** The broker's part of `charged`. */
  readonly commission: NanoDollars;
}

export interface TermRequest {
  readonly serial: number;
  readonly startMs: number;
  readonly endMs: number;
  readonly slabs: number;
  readonly slabBytes: number;
  readonly price: NanoDollars;
  /** 0..1. */
  readonly commissionShare: number;
}

/** Computes the charge and the commission of a term. */
export function priceTerm(request: TermRequest): LeaseTerm {
  const { serial, startMs, endMs, price } = request;
  const byteMs = BigInt(request.slabs) * BigInt(request.slabBytes) * BigInt(endMs - startMs);
  const charged = (byteMs * price) / (BigInt(GiB) * BigInt(hourMs));
  const commission =
    (charged * BigInt(Math.round(request.commissionShare * shareScale))) / BigInt(shareScale);
  return { serial, startMs, endMs, price, charged, commission };
}

export interface Refund {
  /** To the consumer. */
  readonly amount: NanoDollars;
  /** The broker's part of it; the rest is the producer's. */
  readonly commission: NanoDollars;
}

/** The refund of a lease that is given back at `nowMs`: each term's charge for its unused time. */
export function refundTerms(terms: readonly LeaseTerm[], nowMs: number): Refund {
  let amount = 0n;
  let commission = 0n;
  for (const term of terms) {
    const unusedMs = BigInt(Math.max(0, term.endMs - Math.max(term.startMs, nowMs)));
    const lengthMs = BigInt(term.endMs - term.startMs);
    amount += (term.charged * unusedMs) / lengthMs;
    commission += (term.commission * unusedMs) / lengthMs;
  }
  return { amount, commission };
}

/** One line of the ledger: positive is received, negative is paid. */
export interface Posting {
  readonly account: string;
  readonly amount: NanoDollars;
}

export const brokerAccount = 'broker';
export const consumerAccount = (key: string): string => `consumer:${key}`;
export const producerAccount = (key: string): string => `producer:${key}`;

/** The postings for `amount` from the consumer to the producer, less the broker's commission. Their sum is zero. */
export function postings(
  parties: { readonly consumer: string; readonly producer: string },
  amount: NanoDollars,
  commission: NanoDollars,
): Posting[] {
  return [
    { account: consumerAccount(parties.consumer), amount: -amount },
    { account: producerAccount(parties.producer), amount: amount - commission },
    { account: brokerAccount, amount: commission },
  ];
}
