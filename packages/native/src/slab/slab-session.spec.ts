import { randomBytes } from 'node:crypto';
import { createServer } from 'node:net';
import { once } from 'node:events';
import { Identity } from '@exopool/shared';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { consumer, makeTicket, producer, slabBytes, startServer } from '../testing/slab-wire.js';
import { SlabSession } from './slab-client.js';
import type { LossReason } from './slab-outcome.js';
import type { SlabSessionOptions } from './slab-session-options.js';
import type { SlabServer } from './slab-server.js';

let server: SlabServer;
const sessions: SlabSession[] = [];

async function connect(ticket: Buffer, options: Partial<SlabSessionOptions> = {}): Promise<SlabSession> {
  const session = await SlabSession.connect({
    host: '127.0.0.1',
    port: server.port,
    ticket,
    seed: consumer.seed,
    producerKey: producer.publicKey,
    timeoutMs: 60_000,
    ...options,
  });
  sessions.push(session);
  return session;
}

/** With a lease that ends soon, and not before the session is there. */
async function connectBriefly(lifeMs = 200): Promise<SlabSession> {
  try {
    return await connect(makeTicket({ expiresAtMs: Date.now() + lifeMs }));
  } catch (error) {
    expect(error).toMatchObject({ code: 'EXOPOOL_TICKET_EXPIRED' });
    return connectBriefly(2 * lifeMs);
  }
}

function lossOf(session: SlabSession): Promise<LossReason> {
  return new Promise((resolve) => session.onLost(resolve));
}

beforeEach(() => {
  server = startServer();
});
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
  server.close();
});

describe('a session', () => {
  it('reads zeroes at first, then what was written', async () => {
    const session = await connect(makeTicket({ slabs: 2 }));
    expect([session.slabs, session.slabBytes]).toEqual([2, slabBytes]);
    const whole = [{ slab: 1, offset: 0, length: slabBytes }];
    expect((await session.readMany(whole))[0]?.equals(Buffer.alloc(slabBytes))).toBe(true);
    const data = randomBytes(slabBytes);
    expect(await session.writeMany([{ slab: 1, offset: 0, data }])).toEqual([true]);
    expect((await session.readMany(whole))[0]?.equals(data)).toBe(true);
    expect(await session.readMany([])).toEqual([]);
    expect(await session.readMany([{ slab: 0, offset: 5, length: 0 }])).toEqual([Buffer.alloc(0)]);
  });

  it('behaves as an array of bytes does', async () => {
    const session = await connect(makeTicket({ slabs: 1 }));
    const model = Buffer.alloc(slabBytes);
    const range = fc.record({ offset: fc.nat({ max: 4000 }), length: fc.nat({ max: 3000 }) });
    const write = fc.record({ offset: fc.nat({ max: 4000 }), data: fc.uint8Array({ maxLength: 3000 }) });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(write, { maxLength: 4 }), fc.array(range, { maxLength: 4 }))),
        async (rounds) => {
          const pending = rounds.map(async ([writes, ranges]) => {
            const entries = writes.map(({ offset, data }) => ({ slab: 0, offset, data: Buffer.from(data) }));
            const written = session.writeMany(entries);
            for (const { offset, data } of entries) data.copy(model, offset);
            const expected = ranges.map(({ offset, length }) =>
              Buffer.from(model.subarray(offset, offset + length)),
            );
            expect(await session.readMany(ranges.map((each) => ({ slab: 0, ...each })))).toEqual(expected);
            expect(await written).toEqual(entries.map(() => true));
          });
          await Promise.all(pending);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('takes batches larger than the window, of large ranges', async () => {
    const session = await connect(makeTicket({ slabs: 1 }));
    const data = randomBytes(64 * 1024);
    const entries = Array.from({ length: 2500 }, (_, i) => ({
      slab: 0,
      offset: (i % 16) * data.length,
      data,
    }));
    const [written, read] = await Promise.all([
      session.writeMany(entries.slice(0, 1500)),
      session.readMany(entries.map(({ slab, offset }) => ({ slab, offset, length: 1000 }))),
    ]);
    expect(written.every((good) => good)).toBe(true);
    expect(read.every((value) => value?.equals(data.subarray(0, 1000)))).toBe(true);
  });

  it('does not see what a caller does to its buffer later', async () => {
    const session = await connect(makeTicket());
    const data = Buffer.from('first');
    const written = session.writeMany([{ slab: 0, offset: 0, data }]);
    data.fill(0);
    await written;
    expect((await session.readMany([{ slab: 0, offset: 0, length: 5 }]))[0]?.toString()).toBe('first');
  });

  it.each([
    { slab: 2, offset: 0, length: 1 },
    { slab: 0, offset: slabBytes, length: 1 },
    { slab: 0, offset: -1, length: 1 },
    { slab: 0, offset: 0.5, length: 1 },
    { slab: 0, offset: 0, length: NaN },
    { slab: 0, offset: 1, length: slabBytes },
  ])('refuses the range $slab $offset $length', async (range) => {
    const session = await connect(makeTicket({ slabs: 2 }));
    expect(() => session.readMany([range])).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_INVALID' }) as Error,
    );
  });
});

describe('a lease', () => {
  it('is shared by the sessions of its consumer, and survives them', async () => {
    const ticket = makeTicket();
    const first = await connect(ticket);
    await first.writeMany([{ slab: 0, offset: 9, data: Buffer.from('kept') }]);
    first.close();
    const second = await connect(ticket);
    const third = await connect(ticket);
    for (const session of [second, third]) {
      expect((await session.readMany([{ slab: 0, offset: 9, length: 4 }]))[0]?.toString()).toBe('kept');
    }
    expect(server.stats()).toMatchObject({ leases: 1, leasedSlabs: 2, mappedBytes: 2 * slabBytes });
  });

  it('is released for good: its ticket opens nothing more, its memory is zero for the next', async () => {
    const ticket = makeTicket({ slabs: 8 });
    const session = await connect(ticket);
    const other = await connect(ticket);
    const lost = lossOf(other);
    await session.writeMany([{ slab: 0, offset: 0, data: Buffer.alloc(1000, 7) }]);
    await session.release();
    expect(await lost).toBe('closed');
    expect(server.stats()).toMatchObject({ leases: 0, mappedBytes: 0 });
    await expect(connect(ticket)).rejects.toMatchObject({ code: 'EXOPOOL_DENIED' });
    const next = await connect(makeTicket({ slabs: 8 }));
    expect(await next.readMany([{ slab: 0, offset: 0, length: 1000 }])).toEqual([Buffer.alloc(1000)]);
  });

  it('ends when its time is over', async () => {
    const session = await connectBriefly();
    expect(await lossOf(session)).toBe('expired');
    expect(server.stats()).toMatchObject({ leases: 0, mappedBytes: 0 });
    expect(await session.readMany([{ slab: 0, offset: 0, length: 1 }])).toEqual([undefined]);
    expect(await session.writeMany([{ slab: 0, offset: 0, data: Buffer.alloc(1) }])).toEqual([false]);
    expect(await session.ping()).toBe(false);
  });

  it('goes on when it is extended, and an older ticket does not shorten it', async () => {
    const leaseId = randomBytes(16);
    const soon = makeTicket({ leaseId, expiresAtMs: Date.now() + 600_000 });
    const later = Date.now() + 1_200_000;
    const session = await connect(soon);
    await session.extend(makeTicket({ leaseId, serial: 1, expiresAtMs: later }));
    await session.extend(soon);
    await connect(soon);
    expect(server.leases()).toEqual([
      { leaseId, consumerKey: consumer.publicKey, slabs: 2, order: 0, expiresAtMs: later },
    ]);
    await expect(session.extend(makeTicket({ serial: 2 }))).rejects.toMatchObject({
      code: 'EXOPOOL_TICKET_INVALID',
    });
    await expect(session.extend(Buffer.alloc(3))).rejects.toMatchObject({ code: 'EXOPOOL_TICKET_INVALID' });
  });

  it('is revoked at once, and its ticket with it', async () => {
    const ticket = makeTicket();
    const session = await connect(ticket);
    const lost = lossOf(session);
    expect(server.revoke(ticket.subarray(8, 24))).toBe(true);
    expect(server.stats()).toMatchObject({ leases: 0, mappedBytes: 0 });
    expect(await lost).toBe('revoked');
    expect(server.revoke(ticket.subarray(8, 24))).toBe(false);
    await expect(connect(ticket)).rejects.toMatchObject({ code: 'EXOPOOL_DENIED' });
  });

  it('loses what no longer fits, the youngest first, when the capacity falls', async () => {
    const oldest = await connect(makeTicket({ slabs: 3 }));
    const youngest = await connect(makeTicket({ slabs: 3 }));
    await expect(connect(makeTicket({ slabs: 3 }))).rejects.toMatchObject({ code: 'EXOPOOL_NO_MEMORY' });
    const lost = lossOf(youngest);
    server.setCapacity(5);
    expect(server.stats()).toMatchObject({
      leases: 2,
      leasedSlabs: 5,
      mappedBytes: 5 * slabBytes,
      takenSlabs: 1,
    });
    await expect.poll(() => youngest.goneSlabs).toEqual(new Set([2]));
    server.setCapacity(2);
    expect(server.stats()).toMatchObject({ leases: 1, leasedSlabs: 2, takenSlabs: 4 });
    expect(await lost).toBe('revoked');
    expect(await oldest.ping()).toBe(true);
    expect(oldest.goneSlabs).toEqual(new Set([2]));
  });
});

describe('connecting', () => {
  const other = new Identity(Buffer.alloc(32, 9));

  it('fails with the code that fits', async () => {
    const refused = (code: string): object => expect.objectContaining({ code }) as object;
    await expect(connect(makeTicket({ signer: other }))).rejects.toEqual(refused('EXOPOOL_TICKET_INVALID'));
    await expect(connect(makeTicket({ expiresAtMs: 1 }))).rejects.toEqual(refused('EXOPOOL_TICKET_EXPIRED'));
    await expect(connect(makeTicket({ slabs: 9 }))).rejects.toEqual(refused('EXOPOOL_NO_MEMORY'));
    await expect(connect(makeTicket(), { seed: other.seed })).rejects.toEqual(refused('EXOPOOL_DENIED'));
    await expect(connect(makeTicket(), { producerKey: other.publicKey })).rejects.toEqual(
      refused('EXOPOOL_DENIED'),
    );
    await expect(connect(Buffer.alloc(1))).rejects.toEqual(refused('EXOPOOL_TICKET_INVALID'));
    await expect(connect(makeTicket(), { seed: Buffer.alloc(1) })).rejects.toEqual(
      refused('EXOPOOL_INVALID'),
    );
    await expect(connect(makeTicket(), { host: 'no such host' })).rejects.toEqual(
      refused('EXOPOOL_UNAVAILABLE'),
    );
    const { port } = server;
    server.close();
    await expect(connect(makeTicket(), { port })).rejects.toEqual(refused('EXOPOOL_UNAVAILABLE'));
  });

  it('gives up on a peer that says nothing, or nonsense', async () => {
    const words = ['', 'HTTP/1.1 400 Bad Request\r\n\r\n'];
    const peer = createServer(
      (socket) => void socket.on('error', () => undefined).write(words.shift() ?? ''),
    );
    peer.listen(0, '127.0.0.1');
    await once(peer, 'listening');
    const { port } = peer.address() as { port: number };
    try {
      await expect(connect(makeTicket(), { port, timeoutMs: 200 })).rejects.toMatchObject({
        code: 'EXOPOOL_TIMEOUT',
      });
      await expect(connect(makeTicket(), { port })).rejects.toMatchObject({ code: 'EXOPOOL_DENIED' });
    } finally {
      peer.close();
    }
  });
});

describe('a server', () => {
  it('closes with sessions open: they lose everything, nothing rejects', async () => {
    const session = await connect(makeTicket());
    const lost = lossOf(session);
    const reads = session.readMany(
      Array.from({ length: 500 }, () => ({ slab: 0, offset: 0, length: 100_000 })),
    );
    server.close();
    server.close();
    const results = await reads;
    expect(results.length).toBe(500);
    expect(await lost).toBe('closed');
    expect(() => server.revoke(randomBytes(16))).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_CLOSED' }) as Error,
    );
    expect(server.stats().sessions).toBe(0);
  });

  it('says that its port is taken, and what is wrong with its options', () => {
    const start = (options: Parameters<typeof startServer>[0]) => () => startServer(options);
    const code = (name: string): Error => expect.objectContaining({ code: name }) as Error;
    expect(start({ port: server.port })).toThrow(code('EXOPOOL_PORT_IN_USE'));
    expect(start({ slabBytes: 1000 })).toThrow(code('EXOPOOL_INVALID'));
    expect(start({ seed: Buffer.alloc(31) })).toThrow(code('EXOPOOL_INVALID'));
    expect(start({ capacitySlabs: NaN })).toThrow(code('EXOPOOL_INVALID'));
  });

  it('counts', async () => {
    const session = await connect(makeTicket());
    await session.writeMany([{ slab: 0, offset: 0, data: Buffer.alloc(10) }]);
    await session.readMany([
      { slab: 0, offset: 0, length: 30 },
      { slab: 0, offset: 0, length: 40 },
    ]);
    expect(server.stats()).toMatchObject({
      sessions: 1,
      reads: 2,
      writes: 1,
      bytesRead: 70,
      bytesWritten: 10,
    });
    expect(server.stats().cpuSeconds).toBeGreaterThan(0);
    session.close();
    await expect.poll(() => server.stats().sessions).toBe(0);
  });
});

describe('without spinning', () => {
  it('all of it works', async () => {
    const still = startServer({ spinMicroseconds: 0 });
    const session = await connect(makeTicket(), { port: still.port });
    for (let i = 0; i < 20; i++) expect(await session.ping()).toBe(true);
    still.close();
  });
});
