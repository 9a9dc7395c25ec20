/** A lease without a broker: suites measure the slab server and sign its tickets themselves. */
import { randomBytes } from 'node:crypto';
import { signTicket } from '@exopool/memtrade';
import type { SlabSessionOptions } from '@exopool/native/internal';
import { Identity, MiB } from '@exopool/shared';

export const slabBytes = 64 * MiB;
/** Longer than any suite runs. */
const ticketMs = 3_600_000;

export interface Parties {
  readonly producer: Identity;
  readonly broker: Identity;
  readonly consumer: Identity;
}

export function newParties(): Parties {
  return { producer: new Identity(), broker: new Identity(), consumer: new Identity() };
}

/** Options of a session with a lease of `slabs` slabs of the server at `port`. */
export function sessionOptions(
  { producer, broker, consumer }: Parties,
  port: number,
  slabs: number,
): SlabSessionOptions {
  const nowMs = Date.now();
  const { publicKey: producerKey } = producer;
  const { publicKey: consumerKey, seed } = consumer;
  const expiresAtMs = nowMs + ticketMs;
  const leaseId = randomBytes(16);
  const ticket = signTicket(
    { leaseId, producerKey, consumerKey, slabs, slabBytes, issuedAtMs: nowMs, expiresAtMs, serial: 0 },
    broker,
  );
  return { host: '127.0.0.1', port, ticket, seed, producerKey };
}
