/**
 * The slab protocol once more, written from include/slab_protocol.h with node:crypto: an independent implementation
 * for the tests, which can also say what a well-behaved client would not.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  generateKeyPairSync,
  hkdfSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { Identity } from '@exopool/shared';
import { SlabServer, type SlabServerOptions } from '../slab/slab-server.js';

export const broker = new Identity(Buffer.alloc(32, 1));
export const producer = new Identity(Buffer.alloc(32, 2));
export const consumer = new Identity(Buffer.alloc(32, 3));
export const slabBytes = 1024 * 1024;

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

export interface TicketFields {
  readonly leaseId: Buffer;
  readonly producerKey: Buffer;
  readonly consumerKey: Buffer;
  readonly slabs: number;
  readonly slabBytes: number;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly serial: number;
  readonly signer: Identity;
}

export function makeTicket(fields: Partial<TicketFields> = {}): Buffer {
  const ticket = Buffer.alloc(192);
  ticket.write('XTK1');
  ticket.writeUInt32LE(fields.slabs ?? 2, 4);
  (fields.leaseId ?? randomBytes(16)).copy(ticket, 8);
  (fields.producerKey ?? producer.publicKey).copy(ticket, 24);
  (fields.consumerKey ?? consumer.publicKey).copy(ticket, 56);
  ticket.writeBigUInt64LE(BigInt(fields.issuedAtMs ?? Date.now()), 88);
  ticket.writeBigUInt64LE(BigInt(fields.expiresAtMs ?? Date.now() + 60_000), 96);
  ticket.writeUInt32LE(fields.slabBytes ?? slabBytes, 104);
  ticket.writeUInt32LE(fields.serial ?? 0, 108);
  (fields.signer ?? broker).sign(ticket.subarray(0, 128)).copy(ticket, 128);
  return ticket;
}

const mask = 2n ** 64n - 1n;
const rotate = (x: bigint, by: bigint): bigint => ((x << by) | (x >> (64n - by))) & mask;

/** SipHash-2-4 with 16 bytes of output. */
export function sipHash128(key: Buffer, data: Buffer): Buffer {
  const k0 = key.readBigUInt64LE(0);
  const k1 = key.readBigUInt64LE(8);
  let [v0, v1, v2, v3] = [
    k0 ^ 0x736f6d6570736575n,
    k1 ^ 0x646f72616e646f6dn ^ 0xeen,
    k0 ^ 0x6c7967656e657261n,
    k1 ^ 0x7465646279746573n,
  ];
  const rounds = (count: number): void => {
    for (let i = 0; i < count; i++) {
      v0 = (v0 + v1) & mask;
      v1 = rotate(v1, 13n) ^ v0;
      v0 = rotate(v0, 32n);
      v2 = (v2 + v3) & mask;
      v3 = rotate(v3, 16n) ^ v2;
      v0 = (v0 + v3) & mask;
      v3 = rotate(v3, 21n) ^ v0;
      v2 = (v2 + v1) & mask;
      v1 = rotate(v1, 17n) ^ v2;
      v2 = rotate(v2, 32n);
    }
  };
  const padded = Buffer.alloc(Math.floor(data.length / 8) * 8 + 8);
  data.copy(padded);
  padded[padded.length - 1] = data.length & 0xff;
  for (let at = 0; at < padded.length; at += 8) {
    const word = padded.readBigUInt64LE(at);
    v3 ^= word;
    rounds(2);
    v0 ^= word;
  }
  const out = Buffer.alloc(16);
  v2 ^= 0xeen;
  rounds(4);
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 0);
  v1 ^= 0xddn;
  rounds(4);
  out.writeBigUInt64LE(v0 ^ v1 ^ v2 ^ v3, 8);
  return out;
}

export function prelude(kind: number, reason = 0): Buffer {
  return Buffer.from([...Buffer.from('XSLB'), 2, kind, reason, 0]);
}

const sha256 = (...parts: Buffer[]): Buffer => createHash('sha256').update(Buffer.concat(parts)).digest();
const pkcs8 = (oid: string, seed: Buffer): KeyObject =>
  createPrivateKey({
    key: Buffer.concat([Buffer.from(`302e02010030050603${oid}04220420`, 'hex'), seed]),
    format: 'der',
    type: 'pkcs8',
  });
const rawPublic = (key: KeyObject): Buffer =>
  Buffer.from(key.export({ format: 'der', type: 'spki' }).subarray(-32));
const x25519Public = (raw: Buffer): KeyObject =>
  createPublicKey({
    key: Buffer.concat([Buffer.from('302a300506032b656e032100', 'hex'), raw]),
    format: 'der',
    type: 'spki',
  });

export function signedWords(domain: string, transcript: Buffer): Buffer {
  return Buffer.concat([Buffer.from(`${domain}\0`), transcript]);
}

export interface FrameFields {
  readonly type: number;
  readonly request: number;
  readonly slab?: number;
  readonly offset?: number;
  readonly length?: number;
  readonly payload?: Buffer;
  /** Overrides what would be right. */
  readonly payloadBytes?: number;
  readonly sequence?: bigint;
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
  #toProducer = Buffer.alloc(0);
  #toConsumer = Buffer.alloc(0);
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
    const ephemeral = generateKeyPairSync('x25519');
    const hello = Buffer.concat([prelude(1), rawPublic(ephemeral.publicKey), ticket]);
    this.socket.write(hello);
    const first = await this.take(8);
    if (first[5] !== 2) return first;
    const challenge = Buffer.concat([first, await this.take(96)]);
    const proofPrelude = prelude(3);
    const words = signedWords('exopool slab consumer v1', sha256(hello, challenge, proofPrelude));
    const proof = Buffer.concat([proofPrelude, sign(null, words, pkcs8('2b6570', identity.seed))]);
    this.socket.write(proof);
    const secret = diffieHellman({
      privateKey: ephemeral.privateKey,
      publicKey: x25519Public(challenge.subarray(8, 40)),
    });
    const keys = Buffer.from(
      hkdfSync('sha256', secret, sha256(hello, challenge, proof), 'exopool slab keys v1', 32),
    );
    this.#toProducer = keys.subarray(0, 16);
    this.#toConsumer = keys.subarray(16);
    const answer = await this.take(8);
    if (answer[5] !== 4) return answer;
    const ready = Buffer.concat([answer, await this.take(40)]);
    if (!sipHash128(this.#toConsumer, ready.subarray(0, 32)).equals(ready.subarray(32)))
      throw new Error('READY is forged');
    return ready;
  }

  frame(fields: FrameFields): Buffer {
    const header = Buffer.alloc(32);
    const payload = fields.payload ?? Buffer.alloc(0);
    header.writeUInt8(fields.type, 0);
    header.writeUInt32LE(fields.request, 4);
    header.writeUInt32LE(fields.slab ?? 0, 8);
    header.writeUInt32LE(fields.offset ?? 0, 12);
    header.writeUInt32LE(fields.length ?? payload.length, 16);
    header.writeUInt32LE(fields.payloadBytes ?? payload.length, 20);
    header.writeBigUInt64LE(fields.sequence ?? ++this.#sent, 24);
    return Buffer.concat([header, sipHash128(this.#toProducer, header), payload]);
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
    const ephemeral = generateKeyPairSync('x25519');
    let received = Buffer.alloc(0);
    let challenge: Buffer | undefined;
    socket.on('error', () => undefined);
    socket.on('data', (data) => {
      received = Buffer.concat([received, data]);
      const hello = received.subarray(0, 232);
      if (received.length >= 232 && challenge === undefined) {
        const head = Buffer.concat([prelude(2), rawPublic(ephemeral.publicKey)]);
        const words = signedWords('exopool slab producer v1', sha256(hello, head));
        challenge = Buffer.concat([head, sign(null, words, pkcs8('2b6570', producer.seed))]);
        socket.write(challenge);
      }
      if (received.length !== 232 + 72 || challenge === undefined) return;
      const secret = diffieHellman({
        privateKey: ephemeral.privateKey,
        publicKey: x25519Public(hello.subarray(8, 40)),
      });
      const transcript = sha256(hello, challenge, received.subarray(232));
      const key = Buffer.from(hkdfSync('sha256', secret, transcript, 'exopool slab keys v1', 32)).subarray(
        16,
      );
      const ready = Buffer.concat([prelude(4), Buffer.alloc(24)]);
      ready.writeUInt32LE(leased.slabs, 8);
      ready.writeUInt32LE(leased.slabBytes, 12);
      let sequence = 0n;
      const frame = (header: Buffer, payload: Buffer = Buffer.alloc(0)): Buffer => {
        header.writeBigUInt64LE(++sequence, 24);
        return Buffer.concat([header, sipHash128(key, header), payload]);
      };
      socket.write(Buffer.concat([ready, sipHash128(key, ready), talk(frame)]));
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}
