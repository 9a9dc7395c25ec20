/**
 * The cache over leased memory on loopback, with sealing and without, and its local memory.
 *
 * Workload: 20,000 values of 1 KiB under 16-byte keys, all held; keys drawn uniformly; one at a time, and 64 a call.
 * Fair: the same server, keys and values; the server's native thread runs in this process.
 */
import { randomBytes } from 'node:crypto';
import { SealedCache, SlabServer, SlabSession, type SealMode } from '@exopool/native/internal';
import { Identity } from '@exopool/shared';
import { afterAll, bench, describe } from 'vitest';
import { signTicket } from '../protocol/ticket.js';

const slabBytes = 64 * 1024 * 1024;
const valueCount = 20_000;
const batchValues = 64;
const seconds = { time: 1000, warmupTime: 300 };

const [broker, producer, consumer] = [new Identity(), new Identity(), new Identity()];
const server = SlabServer.start({
  host: '127.0.0.1',
  port: 0,
  seed: producer.seed,
  brokerKey: broker.publicKey,
  slabBytes,
  capacitySlabs: 2,
});
afterAll(() => server.close());

const key = (index: number): Buffer => Buffer.from(`key ${String(index).padStart(12, '0')}`);
const value = randomBytes(1024);

async function fill(mode: SealMode): Promise<SealedCache> {
  const issuedAtMs = Date.now();
  const ticket = signTicket(
    {
      leaseId: randomBytes(16),
      producerKey: producer.publicKey,
      consumerKey: consumer.publicKey,
      slabs: 1,
      slabBytes,
      issuedAtMs,
      expiresAtMs: issuedAtMs + 3_600_000,
      serial: 0,
    },
    broker,
  );
  const { seed } = consumer;
  const session = await SlabSession.connect({
    host: '127.0.0.1',
    port: server.port,
    ticket,
    seed,
    producerKey: producer.publicKey,
  });
  const cache = new SealedCache({ mode });
  cache.addMemory(session);
  for (let index = 0; index < valueCount; index += batchValues) {
    await cache.putMany(
      Array.from({ length: batchValues }, (_, each) => [key(index + each), value] as const),
    );
  }
  return cache;
}

const caches: [SealMode, SealedCache][] = [
  ['aes-128-gcm', await fill('aes-128-gcm')],
  ['off', await fill('off')],
];

// A small linear congruential generator: the same keys in every run.
let state = 1;
const draw = (): Buffer => {
  state = (state * 48_271) % 2_147_483_647;
  return key(state % valueCount);
};
const many = (): Buffer[] => Array.from({ length: batchValues }, draw);

describe.each(caches)('sealing %s', (_, cache) => {
  const timed = (name: string, work: () => Promise<unknown>): void => {
    bench(
      name,
      async () => {
        await work();
      },
      seconds,
    );
  };
  timed('get 1 KiB', () => cache.getMany([draw()]));
  timed('get 64 × 1 KiB', () => cache.getMany(many()));
  timed('put 64 × 1 KiB', () => cache.putMany(many().map((each) => [each, value] as const)));
});
