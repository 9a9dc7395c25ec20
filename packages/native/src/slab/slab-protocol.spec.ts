import { randomBytes } from 'node:crypto';
import { Identity } from '@exopool/shared';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import {
  consumer,
  makeTicket,
  prelude,
  RawClient,
  sipHash128,
  slabBytes,
  startServer,
} from '../testing/slab-wire.js';
import type { SlabServer } from './slab-server.js';
import { SlabSession } from './slab-client.js';
import { producer } from '../testing/slab-wire.js';

const type = { read: 1, write: 2, release: 3, extend: 4, ping: 5, ended: 6 };

let server: SlabServer;
const clients: RawClient[] = [];

async function open(): Promise<RawClient> {
  const client = await RawClient.connect(server.port);
  clients.push(client);
  return client;
}

beforeEach(() => {
  server = startServer();
});
afterEach(() => {
  for (const client of clients.splice(0)) client.close();
  server.close();
});

describe('SipHash-2-4-128 of the tests', () => {
  it('gives the vectors of its authors', () => {
    const key = Buffer.from(Array.from({ length: 16 }, (_, i) => i));
    expect(sipHash128(key, Buffer.alloc(0)).toString('hex')).toBe('a3817f04ba25a8e66df67214c7550293');
    expect(sipHash128(key, Buffer.from([0])).toString('hex')).toBe('da87c1d86b99af44347659119b22fc45');
  });
});

describe('tickets shown without end', () => {
  it('are not checked beyond their rate: each takes the thread that serves all', async () => {
    const ticket = makeTicket();
    const client = await open();
    await client.handshake(ticket);
    const count = 200;
    const frames = Array.from({ length: count }, (_, request) =>
      client.frame({ type: type.extend, request, payload: ticket }),
    );
    client.socket.write(Buffer.concat(frames));
    const statuses: (number | undefined)[] = [];
    for (let at = 0; at < count; at += 1) statuses.push((await client.answer())?.status);
    const [ok, overRate] = [0, 9];
    expect(statuses.slice(0, 16)).toEqual(Array.from({ length: 16 }, () => ok));
    expect(new Set(statuses)).toEqual(new Set([ok, overRate]));
    expect(server.stats().overRate).toBe(statuses.filter((status) => status === overRate).length);
  });
});

describe('an independent implementation', () => {
  it('writes and reads byte for byte', async () => {
    const client = await open();
    const ready = await client.handshake(makeTicket({ slabs: 3, expiresAtMs: 4_000_000_000_000 }));
    expect([ready.readUInt32LE(8), ready.readUInt32LE(12), ready.readBigUInt64LE(16)]).toEqual([
      3,
      slabBytes,
      4_000_000_000_000n,
    ]);
    const payload = randomBytes(3000);
    client.socket.write(
      Buffer.concat([
        client.frame({ type: type.write, request: 7, slab: 2, offset: 100, payload }),
        client.frame({ type: type.read, request: 8, slab: 2, offset: 100, length: 3000 }),
        client.frame({ type: type.read, request: 9, slab: 0, offset: slabBytes - 4, length: 4 }),
        client.frame({ type: type.ping, request: 10 }),
      ]),
    );
    expect(await client.answer()).toEqual({
      type: type.write,
      status: 0,
      request: 7,
      payload: Buffer.alloc(0),
    });
    expect(await client.answer()).toEqual({ type: type.read, status: 0, request: 8, payload });
    expect(await client.answer()).toEqual({
      type: type.read,
      status: 0,
      request: 9,
      payload: Buffer.alloc(4),
    });
    expect(await client.answer()).toEqual({
      type: type.ping,
      status: 0,
      request: 10,
      payload: Buffer.alloc(0),
    });
  });

  it('is told which ranges are none, and what is not supported', async () => {
    const client = await open();
    await client.handshake(makeTicket({ slabs: 1 }));
    const bad = [
      { type: type.read, slab: 1, length: 1 },
      { type: type.read, slab: 0, offset: slabBytes, length: 1 },
      { type: type.read, slab: 0, offset: 0xffffffff, length: 0xffffffff },
      { type: type.read, slab: 0, offset: 0, length: slabBytes + 1 },
      { type: type.write, slab: 0, offset: slabBytes - 1, payload: Buffer.alloc(2) },
      { type: type.write, slab: 0, offset: 0, length: 9, payload: Buffer.alloc(2) },
    ];
    for (const [request, fields] of bad.entries()) {
      client.socket.write(client.frame({ ...fields, request }));
      expect(await client.answer()).toMatchObject({ status: 1, request });
    }
    client.socket.write(client.frame({ type: 99, request: 1 }));
    expect(await client.answer()).toMatchObject({ type: 99, status: 2 });
    client.socket.write(client.frame({ type: type.release, request: 2, slab: 1 }));
    expect(await client.answer()).toMatchObject({ type: type.release, status: 1 });
  });

  it('gets its answers however the bytes are cut', async () => {
    const client = await open();
    await client.handshake(makeTicket());
    const bytes = Buffer.concat([
      client.frame({ type: type.write, request: 1, payload: Buffer.from('cut into pieces') }),
      client.frame({ type: type.read, request: 2, length: 15 }),
    ]);
    for (const byte of bytes) client.socket.write(Buffer.of(byte));
    expect((await client.answer())?.request).toBe(1);
    expect((await client.answer())?.payload.toString()).toBe('cut into pieces');
  });
});

describe('a refused ticket', () => {
  const other = new Identity(Buffer.alloc(32, 9));
  const flipped = makeTicket();
  flipped[4]! ^= 1;
  const cases: [string, number, () => Buffer, Identity?][] = [
    ['is random bytes', 3, () => randomBytes(192)],
    ['has a flipped bit', 3, () => flipped],
    ['is signed by somebody else', 3, () => makeTicket({ signer: other })],
    ["is another producer's", 3, () => makeTicket({ producerKey: other.publicKey })],
    ['has slabs of another size', 3, () => makeTicket({ slabBytes: slabBytes * 2 })],
    ['has no slabs', 3, () => makeTicket({ slabs: 0 })],
    ['is past its end', 4, () => makeTicket({ expiresAtMs: Date.now() - 1 })],
    ['is from the future', 5, () => makeTicket({ issuedAtMs: Date.now() + 3_600_000 })],
    ['asks for more than there is', 6, () => makeTicket({ slabs: 9 })],
    ["is another consumer's", 7, () => makeTicket(), other],
  ];
  it.each(cases)('%s: reason %i', async (_, reason, ticket, identity) => {
    const client = await open();
    expect(await client.handshake(ticket(), identity)).toEqual(prelude(5, reason));
    await expect.poll(() => client.ended).toBe(true);
    expect(server.stats()).toMatchObject({ leases: 0, mappedBytes: 0 });
    expect(Object.values(server.stats().refused).reduce((sum, count) => sum + count, 0)).toBe(1);
  });

  it('speaks another version, or no slab protocol at all', async () => {
    const newer = await open();
    newer.socket.write(Buffer.from('XSLB\x01\x01\0\0'));
    expect(await newer.take(8)).toEqual(prelude(5, 2));
    const http = await open();
    http.socket.write('GET / HTTP/1.1\r\n\r\n');
    expect(await http.take(8)).toEqual(prelude(5, 1));
  });
});

describe('a session ends, and others go on, after', () => {
  const cases: [string, (client: RawClient) => void][] = [
    ['a flipped MAC', (client) => flipAndSend(client, 40)],
    ['a flipped header', (client) => flipAndSend(client, 16)],
    [
      'a replayed frame',
      (client) => void client.socket.write(twice(client.frame({ type: type.ping, request: 1 }))),
    ],
    [
      'a skipped number',
      (client) => void client.socket.write(client.frame({ type: type.ping, request: 1, sequence: 2n })),
    ],
    [
      'a giant length',
      (client) =>
        void client.socket.write(client.frame({ type: type.write, request: 1, payloadBytes: 0xffffffff })),
    ],
    ['random bytes', (client) => void client.socket.write(randomBytes(1000))],
  ];
  it.each(cases)('%s', async (_, misbehave) => {
    const good = await open();
    await good.handshake(makeTicket());
    const bad = await open();
    await bad.handshake(makeTicket());
    misbehave(bad);
    await expect.poll(() => bad.ended).toBe(true);
    good.socket.write(good.frame({ type: type.ping, request: 5 }));
    expect(await good.answer()).toMatchObject({ request: 5, status: 0 });
  });

  it('any bytes before the handshake', async () => {
    const hello = Buffer.concat([prelude(1), Buffer.alloc(32, 7), makeTicket()]);
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(
          fc.uint8Array({ maxLength: 600 }),
          fc.nat({ max: 231 }).map((at) => mutate(hello, at)),
        ),
        async (bytes) => {
          const client = await RawClient.connect(server.port);
          client.socket.end(bytes);
          await expect.poll(() => client.ended, { interval: 5 }).toBe(true);
          client.close();
        },
      ),
      { numRuns: 60 },
    );
    const session = await SlabSession.connect({
      host: '127.0.0.1',
      port: server.port,
      ticket: makeTicket(),
      seed: consumer.seed,
      producerKey: producer.publicKey,
    });
    expect(await session.ping()).toBe(true);
    session.close();
  });
});

describe('a consumer that does not read', () => {
  it('is made to wait, and others are served', async () => {
    const slow = await open();
    await slow.handshake(makeTicket());
    slow.socket.pause();
    const requests = Array.from({ length: 64 }, (_, request) =>
      slow.frame({ type: type.read, request, slab: 0, offset: 0, length: slabBytes }),
    );
    slow.socket.write(Buffer.concat(requests));
    const good = await open();
    await good.handshake(makeTicket());
    good.socket.write(good.frame({ type: type.ping, request: 1 }));
    expect(await good.answer()).toMatchObject({ request: 1 });
    const { reads } = server.stats();
    expect(reads).toBeLessThan(64);
    slow.socket.resume();
    for (let request = 0; request < 64; request++) {
      expect((await slow.answer())?.payload.length).toBe(slabBytes);
    }
  });

  it('is refused when it does not finish the handshake', async () => {
    const silent = await open();
    expect(await silent.take(8)).toEqual(prelude(5, 10));
  });
});

describe('sessions', () => {
  it('are limited, and the one too many is told', async () => {
    const ticket = makeTicket();
    // Handshakes and all: those that do not finish theirs are sent away after a while.
    const many: RawClient[] = [];
    for (let session = 0; session < 128; session += 1) {
      many.push(await open());
      await many.at(-1)!.handshake(ticket);
    }
    expect(server.stats().sessions).toBe(128);
    const late = await open();
    expect(await late.take(8)).toEqual(prelude(5, 9));
    many[0]!.close();
    await expect.poll(() => server.stats().sessions).toBe(127);
    const next = await open();
    expect((await next.handshake(ticket)).length).toBe(48);
  });
});

function flipAndSend(client: RawClient, at: number): void {
  const frame = client.frame({ type: type.ping, request: 1 });
  frame[at]! ^= 1;
  client.socket.write(frame);
}

function twice(frame: Buffer): Buffer {
  return Buffer.concat([frame, frame]);
}

function mutate(bytes: Buffer, at: number): Uint8Array {
  const copy = Buffer.from(bytes);
  copy[at]! ^= 0x40;
  return copy;
}
