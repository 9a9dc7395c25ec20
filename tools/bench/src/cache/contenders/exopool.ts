/** Ours: a slab server in a process of its own, and a sealed cache over a lease of it for each mode. */
import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { signTicket } from '@exopool/memtrade';
import { SealedCache, SlabSession, type SealMode, type SlabSessionOptions } from '@exopool/native';
import { Identity, MiB } from '@exopool/shared';
import type { SlabServerAnswer, SlabServerArgument } from '../../harvest/slab-server-main.js';
import { CagedProcess } from '../../machine/caged-process.js';
import type { CacheContender } from './contender.js';

const slabServerMain = fileURLToPath(new URL('../../harvest/slab-server-main.js', import.meta.url));
const slabBytes = 64 * MiB;
const ticketMs = 3_600_000;

export interface LeasedCache extends CacheContender {
  readonly cache: SealedCache;
}

export class Producer {
  readonly #identities = { producer: new Identity(), broker: new Identity(), consumer: new Identity() };
  readonly #child: CagedProcess;
  #port = 0;

  private constructor(slabs: number, signal: AbortSignal) {
    const argument: SlabServerArgument = {
      seed: this.#identities.producer.seed.toString('hex'),
      brokerKey: this.#identities.broker.publicKey.toString('hex'),
      slabBytes,
      slabs,
    };
    this.#child = new CagedProcess({
      cage: undefined,
      module: slabServerMain,
      argument,
      nodeOptions: [],
      env: {},
      signal,
    });
  }

  static async start(slabs: number, signal: AbortSignal): Promise<Producer> {
    const producer = new Producer(slabs, signal);
    try {
      ({ port: producer.#port } = (await producer.#child.ask({})) as SlabServerAnswer);
      return producer;
    } catch (error) {
      await producer.close();
      throw error;
    }
  }

  /** What a session is opened with that has leased so many slabs of 64 MiB. */
  sessionOptions(slabs: number): SlabSessionOptions {
    const { producer, broker, consumer } = this.#identities;
    const nowMs = Date.now();
    const ticket = signTicket(
      {
        leaseId: randomBytes(16),
        producerKey: producer.publicKey,
        consumerKey: consumer.publicKey,
        slabs,
        slabBytes,
        issuedAtMs: nowMs,
        expiresAtMs: nowMs + ticketMs,
        serial: 0,
      },
      broker,
    );
    const { seed } = consumer;
    return { host: '127.0.0.1', port: this.#port, ticket, seed, producerKey: producer.publicKey };
  }

  async lease(mode: SealMode, slabs: number): Promise<LeasedCache> {
    const session = await SlabSession.connect(this.sessionOptions(slabs));
    const cache = new SealedCache({ mode });
    cache.addMemory(session);
    return {
      name: `exopool ${mode}`,
      by: 'SealedCache',
      cache,
      putMany: (entries) => cache.putMany(entries),
      get: (key) => cache.get(key),
      getMany: (keys) => cache.getMany(keys),
      close: () => session.release(),
    };
  }

  /** At once, with all that is in it. */
  close(): Promise<void> {
    return this.#child.close();
  }
}
