/**
 * Both ends of the slab protocol for the tests, over slab-bytes.ts. They can also say what a well-behaved end would not.
 */
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { Identity } from '@exopool/shared';
import { SlabServer, type SlabServerOptions } from '../slab/slab-server.js';
import {
  broker,
  challengeMessage,
  consumer,
  frameMessage,
  helloMessage,
  makeEphemeral,
  producer,
  proofMessage,
  readyMessage,
  sessionKeys,
  sipHash128,
  slabBytes,
  type FrameFields,
} from './slab-bytes.js';

export { broker, consumer, makeTicket, prelude, producer, sipHash128, slabBytes } from './slab-bytes.js';

export function startServer(options: Partial<SlabServerOptions> = {}): SlabServer {
  return SlabServer.start({
    host: '127.0.0.1',
    port: 0,
    seed: producer.seed,
    brokerKey: broker.publicKey,
    slabBytes,
    capacitySlabs: 8,
    ...options,
  });
}

export interface Answer {
  readonly type: number;
  readonly status: number;
  readonly request: number;
  readonly payload: Buffer;
}

/** A client that speaks bytes. */
export class RawClient {
  readonly socket: Socket;
  /** True once the server has ended the connection. */
  ended = false;
  #received = Buffer.alloc(0);
  #wake: () => void = () => undefined;
  #toProducer: Buffer = Buffer.alloc(0);
  #toConsumer: Buffer = Buffer.alloc(0);
  #sent = 0n;
  #got = 0n;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      this.#wake();
    });
    const end = (): void => {
      this.ended = true;
      this.#wake();
    };
    socket.on('close', end).on('end', end).on('error', end);
  }

  static async connect(port: number): Promise<RawClient> {
    const socket = connect(port, '127.0.0.1');
    await once(socket, 'connect');
    return new RawClient(socket);
  }

  /** Bytes that have come, exactly so many; fewer when the server ended before. */
  async take(bytes: number): Promise<Buffer> {
    while (this.#received.length < bytes && !this.ended) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
    }
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(taken.length);
    return taken;
  }

  /** HELLO to READY. @returns READY, or what came instead. */
  async handshake(ticket: Buffer, identity: Identity = consumer): Promise<Buffer> {
    const ephemeral = makeEphemeral();
    const hello = helloMessage(ephemeral, ticket);
    this.socket.write(hello);
    const first = await this.take(8);
    if (first[5] !== 2) return first;
    const challenge = Buffer.concat([first, await this.take(96)]);
    const proof = proofMessage(hello, challenge, identity);
    this.socket.write(proof);
    const keys = sessionKeys(ephemeral, challenge.subarray(8, 40), hello, challenge, proof);
    this.#toProducer = keys.toProducer;
    this.#toConsumer = keys.toConsumer;
    const answer = await this.take(8);
    if (answer[5] !== 4) return answer;
    const ready = Buffer.concat([answer, await this.take(40)]);
    if (!sipHash128(this.#toConsumer, ready.subarray(0, 32)).equals(ready.subarray(32)))
      throw new Error('READY is forged');
    return ready;
  }

  frame(fields: FrameFields): Buffer {
    return frameMessage(this.#toProducer, { ...fields, sequence: fields.sequence ?? ++this.#sent });
  }

  /** The next frame; `undefined` when the server ended instead. */
  async answer(): Promise<Answer | undefined> {
    const header = await this.take(48);
    if (header.length < 48) return undefined;
    const expected = sipHash128(this.#toConsumer, header.subarray(0, 32));
    if (!expected.equals(header.subarray(32)) || header.readBigUInt64LE(24) !== ++this.#got)
      throw new Error('a forged answer');
    return {
      type: header.readUInt8(0),
      status: header.readUInt8(1),
      request: header.readUInt32LE(4),
      payload: await this.take(header.readUInt32LE(20)),
    };
  }

  close(): void {
    this.socket.destroy();
  }
}

/** A producer that speaks bytes: shakes hands rightly, then says what `talk` makes it say. READY says `leased`. */
export async function hostileProducer(
  talk: (frame: (header: Buffer, payload?: Buffer) => Buffer) => Buffer,
  leased = { slabs: 2, slabBytes },
): Promise<Server> {
  const server = createServer((socket) => {
    const ephemeral = makeEphemeral();
    let received = Buffer.alloc(0);
    let challenge: Buffer | undefined;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      const hello = received.subarray(0, 232);
      if (received.length >= 232 && challenge === undefined) {
        challenge = challengeMessage(hello, ephemeral, producer);
        socket.write(challenge);
      }
      if (received.length !== 232 + 72 || challenge === undefined) return;
      const said = [hello, challenge, received.subarray(232)] as const;
      const { toConsumer: key } = sessionKeys(ephemeral, hello.subarray(8, 40), ...said);
      const ready = readyMessage(key, leased);
      let sequence = 0n;
      const frame = (header: Buffer, payload: Buffer = Buffer.alloc(0)): Buffer => {
        header.writeBigUInt64LE(++sequence, 24);
        return Buffer.concat([header, sipHash128(key, header), payload]);
      };
      socket.write(Buffer.concat([ready, talk(frame)]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
