import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import type { AddressInfo, Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SlabSession } from './slab-client.js';
import { consumer, hostileProducer, makeTicket, producer, slabBytes } from '../testing/slab-wire.js';

/** Connects, reads, and gives what came back. */
async function readFrom(...says: Parameters<typeof hostileProducer>): Promise<(Buffer | undefined)[]> {
  const server = await hostileProducer(...says);
  const { port } = server.address() as AddressInfo;
  try {
    const session = await SlabSession.connect({
      host: '127.0.0.1',
      port,
      ticket: makeTicket(),
      seed: consumer.seed,
      producerKey: producer.publicKey,
      // For what never answers; time enough to shake hands.
      timeoutMs: 5000,
    });
    const read = await session.readMany([{ slab: 0, offset: 0, length: 16 }]);
    session.close();
    return read;
  } finally {
    server.close();
  }
}

/** The first 32 bytes of an answer to the first READ. */
function answer(change: (header: Buffer) => void = () => undefined): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt8(1, 0);
  header.writeUInt32LE(1, 4);
  header.writeUInt32LE(16, 20);
  change(header);
  return header;
}

const payload = Buffer.from('sixteen bytes...');

describe('what a hostile producer says after the handshake', () => {
  // Answers that are there before the question: nothing is in flight yet when the client sees them.
  const cases: [string, Parameters<typeof hostileProducer>[0]][] = [
    ['an answer to nothing', (frame) => frame(answer(), payload)],
    ['the same twice', (frame) => Buffer.concat([frame(answer(), payload), frame(answer(), payload)])],
    ['a giant length', (frame) => frame(answer((header) => header.writeUInt32LE(0xffffffff, 20)))],
    [
      'a type that there is not',
      (frame) =>
        frame(
          answer((header) => header.writeUInt8(77, 0)),
          payload,
        ),
    ],
    ['an end with a status that there is not', (frame) => frame(endWith(255))],
    ['more slabs gone than there are', (frame) => frame(gone(12), Buffer.alloc(12))],
    ['half a slab gone', (frame) => frame(gone(6), Buffer.alloc(6))],
    ['no slab gone', (frame) => frame(gone(0))],
    ['random bytes', () => randomBytes(500)],
    ['nothing', () => Buffer.alloc(0)],
  ];
  it.each(cases)('%s: the session is over, its data lost', async (_, talk) => {
    expect(await readFrom(talk)).toEqual([undefined]);
  });

  it.each([
    ['other slabs', { slabs: 3, slabBytes }],
    ['slabs of another size', { slabs: 2, slabBytes: 2 * slabBytes }],
    ['slabs of no bytes', { slabs: 2, slabBytes: 0 }],
  ])('%s than the ticket says: the session is not opened', async (_, leased) => {
    await expect(readFrom(() => Buffer.alloc(0), leased)).rejects.toMatchObject({
      code: 'EXOPOOL_DENIED',
      message: expect.stringContaining('other memory') as string,
    });
  });

  it('anything at all', async () => {
    const header = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => Buffer.from(bytes));
    const frames = fc.array(
      fc.tuple(
        header,
        fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
      ),
    );
    await fc.assert(
      fc.asyncProperty(frames, async (said) => {
        const got = await readFrom((frame) =>
          Buffer.concat([...said.map(([head, tail]) => frame(head, tail)), randomBytes(48)]),
        );
        expect(got).toEqual([undefined]);
      }),
      { numRuns: 30 },
    );
  });
});

it('a producer that wants no slab back asks for nothing', async () => {
  let frames = Buffer.alloc(0);
  const server = await hostileProducer((frame) => {
    frames = Buffer.concat([frame(reclaim(1)), frame(reclaim(0)), frame(gone(4), Buffer.alloc(4))]);
    return Buffer.alloc(0);
  });
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  const wanted: number[] = [];
  const session = await SlabSession.connect({
    host: '127.0.0.1',
    port: (server.address() as AddressInfo).port,
    ticket: makeTicket(),
    seed: consumer.seed,
    producerKey: producer.publicKey,
    timeoutMs: 60_000,
  });
  session.onReclaim((slabs) => wanted.push(slabs));
  const told = new Promise((resolve) => session.onGone(resolve));
  (await accepted)[0].write(frames);
  expect(await told).toEqual([0]);
  expect(wanted).toEqual([1]);
  session.close();
  server.close();
});

function reclaim(slabs: number): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt8(7, 0);
  header.writeUInt32LE(slabs, 16);
  return header;
}

function gone(payloadBytes: number): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt8(8, 0);
  header.writeUInt32LE(payloadBytes, 20);
  return header;
}

function endWith(status: number): Buffer {
  const header = Buffer.alloc(32);
  header.writeUInt8(6, 0);
  header.writeUInt8(status, 1);
  return header;
}
