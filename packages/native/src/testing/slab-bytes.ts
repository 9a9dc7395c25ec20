/**
 * The messages of the slab protocol once more, written from include/slab_protocol.h with node:crypto: an independent
 * implementation, without the numbers that the product takes from the header.
 */
import {
  createHash,
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  randomBytes,
  sign,
  type KeyObject,
} from 'node:crypto';
import { Identity } from '@exopool/shared';

export const broker = new Identity(Buffer.alloc(32, 1));
export const producer = new Identity(Buffer.alloc(32, 2));
export const consumer = new Identity(Buffer.alloc(32, 3));
export const slabBytes = 1024 * 1024;

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

const signWords = (identity: Identity, domain: string, ...said: Buffer[]): Buffer =>
  sign(null, Buffer.concat([Buffer.from(`${domain}\0`), sha256(...said)]), pkcs8('2b6570', identity.seed));

/** A pair of X25519 keys. */
export interface Ephemeral {
  readonly privateKey: KeyObject;
  readonly publicKey: Buffer;
}

/** Random without a seed. */
export function makeEphemeral(seed = randomBytes(32)): Ephemeral {
  const privateKey = pkcs8('2b656e', seed);
  return { privateKey, publicKey: rawPublic(createPublicKey(privateKey)) };
}

export function helloMessage(ephemeral: Ephemeral, ticket: Buffer): Buffer {
  return Buffer.concat([prelude(1), ephemeral.publicKey, ticket]);
}

export function challengeMessage(hello: Buffer, ephemeral: Ephemeral, identity: Identity): Buffer {
  const head = Buffer.concat([prelude(2), ephemeral.publicKey]);
  return Buffer.concat([head, signWords(identity, 'exopool slab producer v1', hello, head)]);
}

export function proofMessage(hello: Buffer, challenge: Buffer, identity: Identity): Buffer {
  const head = prelude(3);
  return Buffer.concat([head, signWords(identity, 'exopool slab consumer v1', hello, challenge, head)]);
}

/** What a session's frames are sealed with, in each direction. @param peer the other side's X25519 key. */
export function sessionKeys(
  { privateKey }: Ephemeral,
  peer: Buffer,
  ...said: readonly [hello: Buffer, challenge: Buffer, proof: Buffer]
): { toProducer: Buffer; toConsumer: Buffer } {
  const secret = diffieHellman({ privateKey, publicKey: x25519Public(peer) });
  const keys = Buffer.from(hkdfSync('sha256', secret, sha256(...said), 'exopool slab keys v1', 32));
  return { toProducer: keys.subarray(0, 16), toConsumer: keys.subarray(16) };
}

export function readyMessage(
  toConsumer: Buffer,
  leased: { readonly slabs: number; readonly slabBytes: number; readonly expiresAtMs?: number },
): Buffer {
  const ready = Buffer.concat([prelude(4), Buffer.alloc(24)]);
  ready.writeUInt32LE(leased.slabs, 8);
  ready.writeUInt32LE(leased.slabBytes, 12);
  ready.writeBigUInt64LE(BigInt(leased.expiresAtMs ?? 0), 16);
  return Buffer.concat([ready, sipHash128(toConsumer, ready)]);
}

/** A frame, whose number is in its fields. */
export function frameMessage(key: Buffer, fields: FrameFields & { readonly sequence: bigint }): Buffer {
  const header = Buffer.alloc(32);
  const payload = fields.payload ?? Buffer.alloc(0);
  header.writeUInt8(fields.type, 0);
  header.writeUInt8(fields.status ?? 0, 1);
  header.writeUInt32LE(fields.request, 4);
  header.writeUInt32LE(fields.slab ?? 0, 8);
  header.writeUInt32LE(fields.offset ?? 0, 12);
  header.writeUInt32LE(fields.length ?? payload.length, 16);
  header.writeUInt32LE(fields.payloadBytes ?? payload.length, 20);
  header.writeBigUInt64LE(fields.sequence, 24);
  return Buffer.concat([header, sipHash128(key, header), payload]);
}

export interface FrameFields {
  readonly type: number;
  readonly status?: number;
  readonly request: number;
  readonly slab?: number;
  readonly offset?: number;
  readonly length?: number;
  readonly payload?: Buffer;
  /** Overrides what would be right. */
  readonly payloadBytes?: number;
  readonly sequence?: bigint;
}
