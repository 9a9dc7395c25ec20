/** How a producer gets its memory back from sessions, and keeps them within their rates. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlabSession } from './slab-client.js';
import type { SlabServer, SlabServerOptions } from './slab-server.js';
import { broker, consumer, makeTicket, producer, slabBytes, startServer } from '../testing/slab-wire.js';

let server: SlabServer;
const sessions: SlabSession[] = [];
const leaseOf = (ticket: Buffer): Buffer => ticket.subarray(8, 24);

async function connect(ticket: Buffer): Promise<SlabSession> {
  const { port } = server;
  const [seed, producerKey] = [consumer.seed, producer.publicKey];
  const session = await SlabSession.connect({
    host: '127.0.0.1',
    port,
    ticket,
    seed,
    producerKey,
    timeoutMs: 60_000,
  });
  sessions.push(session);
  return session;
}

function restart(options: Partial<SlabServerOptions>): void {
  server.close();
  server = startServer(options);
}

beforeEach(() => {
  server = startServer();
});
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
  server.close();
});

describe('a producer that wants memory back', () => {
  it('asks, and the consumer chooses what to give', async () => {
    const ticket = makeTicket({ slabs: 4 });
    const session = await connect(ticket);
    const second = await connect(ticket);
    const asked = new Promise((resolve) =>
      session.onReclaim((slabs, graceMs) => resolve({ slabs, graceMs })),
    );
    await session.writeMany([{ slab: 3, offset: 0, data: Buffer.from('kept') }]);
    expect(server.ask(leaseOf(ticket), 2, 5000)).toBe(true);
    expect(await asked).toEqual({ slabs: 2, graceMs: 5000 });
    expect(await session.releaseSlab(0)).toBe(true);
    expect(await session.releaseSlab(1)).toBe(true);
    expect(await session.releaseSlab(1)).toBe(false);
    expect(() => session.releaseSlab(4)).toThrow(/slabs 0 to 3, not 4/);
    expect(server.stats()).toMatchObject({
      leasedSlabs: 2,
      mappedBytes: 2 * slabBytes,
      releasedSlabs: 2,
      takenSlabs: 0,
    });
    // What is gone is a miss, for every session of the lease; the rest is as it was.
    const ranges = [0, 3].map((slab) => ({ slab, offset: 0, length: 4 }));
    expect(await second.readMany(ranges)).toEqual([undefined, Buffer.from('kept')]);
    expect(await second.writeMany([{ slab: 1, offset: 0, data: Buffer.alloc(1) }])).toEqual([false]);
    await expect.poll(() => second.goneSlabs.size).toBe(2);
    expect(server.ask(randomBytes(16), 1, 0)).toBe(false);
  });

  it('takes what is not given, and tells which', async () => {
    const ticket = makeTicket({ slabs: 3 });
    const session = await connect(ticket);
    const told: (readonly number[])[] = [];
    session.onGone((slabs) => told.push(slabs));
    expect(server.take(leaseOf(ticket), 1)).toBe(1);
    await session.releaseSlab(0);
    await expect.poll(() => told).toEqual([[2], [0]]);
    // One who comes later hears of it too.
    const later = await connect(ticket);
    const gone = await new Promise((resolve) => later.onGone(resolve));
    expect(gone).toEqual([2, 0]);
    const lost = new Promise((resolve) => session.onLost(resolve));
    expect(server.take(leaseOf(ticket), 5)).toBe(1);
    expect(await lost).toBe('revoked');
    expect(server.stats()).toMatchObject({ leases: 0, mappedBytes: 0, takenSlabs: 2, releasedSlabs: 1 });
  });

  it('ends a lease that gave back its last slab', async () => {
    const ticket = makeTicket({ slabs: 1 });
    const session = await connect(ticket);
    const lost = new Promise((resolve) => session.onLost(resolve));
    expect(await session.releaseSlab(0)).toBe(true);
    expect(await lost).toBe('closed');
    await expect(connect(ticket)).rejects.toMatchObject({ code: 'EXOPOOL_DENIED' });
  });

  it('admits nobody beyond its capacity, and takes nothing for it', async () => {
    const session = await connect(makeTicket({ slabs: 5 }));
    server.admit(4);
    expect(server.stats()).toMatchObject({ leasedSlabs: 5, capacitySlabs: 4 });
    await expect(connect(makeTicket({ slabs: 1 }))).rejects.toMatchObject({ code: 'EXOPOOL_NO_MEMORY' });
    expect(await session.ping()).toBe(true);
    server.admit(6);
    await connect(makeTicket({ slabs: 1 }));
  });

  it('gives no tenant what another wrote, slab by slab', async () => {
    restart({ slabBytes: 4 << 20, capacitySlabs: 2 });
    for (let round = 1; round <= 6; round += 1) {
      const ticket = makeTicket({ slabs: 2, slabBytes: 4 << 20 });
      const session = await connect(ticket);
      const chunks = [0, 1, 2, 3].flatMap((part) => [0, 1].map((slab) => ({ slab, offset: part << 20 })));
      const read = await session.readMany(chunks.map((chunk) => ({ ...chunk, length: 1 << 20 })));
      const zeroes = Buffer.alloc(1 << 20);
      expect(read.every((bytes) => bytes?.equals(zeroes))).toBe(true);
      await session.writeMany(chunks.map((chunk) => ({ ...chunk, data: Buffer.alloc(1 << 20, round) })));
      if (round % 2 === 0) await session.release();
      else server.take(leaseOf(ticket), 2);
    }
  });
});

describe('limits', () => {
  it('refuse what is over the rate, and say when to come back', async () => {
    restart({ rates: { bytesPerSecond: 0, requestsPerSecond: 2, burstSeconds: 50 } });
    const session = await connect(makeTicket());
    const range = { slab: 0, offset: 0, length: 100 };
    const read = await session.readMany(Array.from({ length: 400 }, () => range));
    const served = read.filter((bytes) => bytes !== undefined).length;
    expect(served).toBeGreaterThanOrEqual(100);
    expect(served).toBeLessThan(400);
    expect(session.slowDownMs).toBeGreaterThan(0);
    expect(session.slowDownMs).toBeLessThan(1000);
    expect(server.stats().overRate).toBe(400 - served);
    // What costs nothing is not counted, and another lease has a rate of its own.
    expect(await session.ping()).toBe(true);
    expect(await (await connect(makeTicket())).readMany([range])).toEqual([Buffer.alloc(100)]);
    await expect.poll(() => session.slowDownMs).toBe(0);
    await expect.poll(() => session.readMany([range])).toEqual([Buffer.alloc(100)]);
  });

  it('count bytes, and serve what is larger than the burst', async () => {
    restart({ rates: { bytesPerSecond: 10_000, requestsPerSecond: 0, burstSeconds: 0.1 } });
    const session = await connect(makeTicket());
    const large = { slab: 0, offset: 0, length: 1_000_000 };
    expect((await session.readMany([large]))[0]?.length).toBe(1_000_000);
    expect(await session.readMany([large])).toEqual([undefined]);
    expect(session.slowDownMs).toBeGreaterThan(100);
    expect(await session.writeMany([{ slab: 0, offset: 0, data: Buffer.alloc(10) }])).toEqual([false]);
  });

  it('keep the thread to its share of a core', async () => {
    restart({ cpuShareMax: 0.05 });
    const session = await connect(makeTicket());
    const ranges = Array.from({ length: 1000 }, () => ({ slab: 0, offset: 0, length: 1000 }));
    const [startMs, startCpu] = [performance.now(), server.stats().cpuSeconds];
    let share = 1;
    // The first windows are learned from; over a second the cap holds.
    for (let seconds = 0; seconds < 1;) {
      await session.readMany(ranges);
      seconds = (performance.now() - startMs) / 1000;
      share = (server.stats().cpuSeconds - startCpu) / seconds;
    }
    expect(share).toBeLessThan(0.1);
    // It hears of orders all the same.
    server.setCapacity(0);
    expect(server.stats().leases).toBe(0);
  });

  it.each([
    { rates: { bytesPerSecond: -1, requestsPerSecond: 0, burstSeconds: 1 } },
    { rates: { bytesPerSecond: 0, requestsPerSecond: Number.NaN, burstSeconds: 1 } },
    { rates: { bytesPerSecond: 0, requestsPerSecond: 0, burstSeconds: 0 } },
    { cpuShareMax: 0 },
    { cpuShareMax: 2 },
  ])('must make sense: %j', (options) => {
    expect(() => startServer(options)).toThrow(/must be from/);
  });
});

it('believes another broker once it is told to', async () => {
  restart({ brokerKey: producer.publicKey });
  await expect(connect(makeTicket())).rejects.toMatchObject({ code: 'EXOPOOL_TICKET_INVALID' });
  server.setBrokerKey(broker.publicKey);
  expect(await (await connect(makeTicket())).ping()).toBe(true);
});
