/** For tests and benches: a sealed cache over a real slab server on loopback, without a broker. */
import { randomBytes } from 'node:crypto';
import { SealedCache, SlabServer, SlabSession, type SealMode } from '@exopool/native/internal';
import { Identity } from '@exopool/shared';
import { signTicket } from '../protocol/ticket.js';

export interface LeasedCache {
  readonly cache: SealedCache;
  /** The producer is gone: everything in it is lost. */
  lose(): void;
  /** Another lease of the same size. */
  leaseAgain(): Promise<void>;
  close(): void;
}

const hourMs = 3_600_000;

export async function openLeasedCache(
  slabs: number,
  slabBytes: number,
  mode?: SealMode,
): Promise<LeasedCache> {
  const [broker, producer, consumer] = [new Identity(), new Identity(), new Identity()];
  const server = SlabServer.start({
    host: '127.0.0.1',
    port: 0,
    seed: producer.seed,
    brokerKey: broker.publicKey,
    slabBytes,
    capacitySlabs: slabs,
  });
  const cache = new SealedCache(mode === undefined ? {} : { mode });
  let session: SlabSession | undefined;
  let released = Promise.resolve();
  const leaseAgain = async (): Promise<void> => {
    await released;
    const issuedAtMs = Date.now();
    const ticket = signTicket(
      {
        leaseId: randomBytes(16),
        producerKey: producer.publicKey,
        consumerKey: consumer.publicKey,
        slabs,
        slabBytes,
        issuedAtMs,
        expiresAtMs: issuedAtMs + hourMs,
        serial: 0,
      },
      broker,
    );
    const { seed } = consumer;
    const producerKey = producer.publicKey;
    const { port } = server;
    const timeoutMs = 60_000;
    session = await SlabSession.connect({ host: '127.0.0.1', port, ticket, seed, producerKey, timeoutMs });
    cache.addMemory(session);
  };
  const lose = (): void => {
    if (session === undefined) return;
    cache.removeMemory(session);
    released = session.release();
    session = undefined;
  };
  await leaseAgain();
  return {
    cache,
    lose,
    leaseAgain,
    close: () => {
      session?.close();
      server.close();
    },
  };
}
