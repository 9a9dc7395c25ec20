/** For tests: caches over a real slab server, and a second session with the same lease, which sees the bytes. */
import { afterEach } from 'vitest';
import { SealedCache, type SealedCacheOptions, type SealMode } from '../cache/sealed-cache.js';
import { SlabSession } from '../slab/slab-client.js';
import type { SlabServer, SlabServerOptions } from '../slab/slab-server.js';
import { consumer, makeTicket, producer, startServer } from './slab-wire.js';

export const key = (name: string | number): Buffer => Buffer.from(`key ${name}`);

export class Leased {
  readonly server: SlabServer;
  readonly #sessions: SlabSession[] = [];

  constructor(
    readonly slabBytes: number,
    options: Partial<SlabServerOptions> = {},
  ) {
    this.server = startServer({ slabBytes, capacitySlabs: 64, ...options });
    open.push(this);
  }

  async lease(slabs: number): Promise<{ session: SlabSession; ticket: Buffer }> {
    const ticket = makeTicket({ slabs, slabBytes: this.slabBytes });
    return { session: await this.connect(ticket), ticket };
  }

  async connect(ticket: Buffer): Promise<SlabSession> {
    const session = await SlabSession.connect({
      host: '127.0.0.1',
      port: this.server.port,
      ticket,
      seed: consumer.seed,
      producerKey: producer.publicKey,
      timeoutMs: 60_000,
    });
    this.#sessions.push(session);
    return session;
  }

  close(): void {
    for (const session of this.#sessions) session.close();
    this.server.close();
  }
}

const open: Leased[] = [];
afterEach(() => {
  for (const leased of open.splice(0)) leased.close();
});

/** A cache over one lease, the ticket of which lets others see and change what the producer holds. */
export async function cacheOver(
  slabs: number,
  slabBytes: number,
  mode: SealMode = 'aes-128-gcm',
  options: SealedCacheOptions = {},
): Promise<{ cache: SealedCache; leased: Leased; session: SlabSession; ticket: Buffer }> {
  const leased = new Leased(slabBytes);
  const { session, ticket } = await leased.lease(slabs);
  const cache = new SealedCache({ mode, ...options });
  cache.addMemory(session);
  session.onLost(() => cache.removeMemory(session));
  return { cache, leased, session, ticket };
}
