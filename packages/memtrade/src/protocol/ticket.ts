/**
 * A lease ticket: the broker's signature says that one consumer may use a number of slabs of one producer until a time.
 *
 * The producer needs nothing else to serve a lease, so leases outlive a broker outage. An extended lease has a new
 * ticket with a later end and a higher serial, which the consumer presents on its open session.
 *
 *   0    magic "XTK1"            88   u64 issued at, Unix ms
 *   4    u32 slabs               96   u64 expires at, Unix ms
 *   8    lease id, 16 bytes      104  u32 bytes of a slab
 *   24   producer key, 32 bytes  108  u32 serial, 0 at first
 *   56   consumer key, 32 bytes  112  16 zero bytes
 *                                128  Ed25519 signature of bytes 0..127, 64 bytes
 *
 * Integers are little-endian. 192 bytes in all.
 */
import { ExopoolError, publicKeyBytes, verifySignature, type Identity } from '@exopool/shared';

/** The size of a ticket. */
export const ticketBytes = 192;
const signedBytes = 128;
const magic = Buffer.from('XTK1');
export const leaseIdBytes = 16;

/** The content of a ticket. Keys are Ed25519 public keys, times are Unix ms. */
export interface Ticket {
  readonly leaseId: Buffer;
  readonly producerKey: Buffer;
  readonly consumerKey: Buffer;
  readonly slabs: number;
  readonly slabBytes: number;
  readonly issuedAtMs: number;
  readonly expiresAtMs: number;
  readonly serial: number;
}

/** Signs a ticket. @returns its 192 bytes. */
export function signTicket(ticket: Ticket, broker: Identity): Buffer {
  const bytes = Buffer.alloc(ticketBytes);
  magic.copy(bytes, 0);
  bytes.writeUInt32LE(ticket.slabs, 4);
  fixed(ticket.leaseId, leaseIdBytes, 'lease id').copy(bytes, 8);
  fixed(ticket.producerKey, publicKeyBytes, 'producer key').copy(bytes, 24);
  fixed(ticket.consumerKey, publicKeyBytes, 'consumer key').copy(bytes, 56);
  bytes.writeBigUInt64LE(BigInt(ticket.issuedAtMs), 88);
  bytes.writeBigUInt64LE(BigInt(ticket.expiresAtMs), 96);
  bytes.writeUInt32LE(ticket.slabBytes, 104);
  bytes.writeUInt32LE(ticket.serial, 108);
  broker.sign(bytes.subarray(0, signedBytes)).copy(bytes, signedBytes);
  return bytes;
}

/**
 * Reads a ticket and checks its form, signature and time.
 * @param nowMs Unix time, milliseconds.
 * @throws ExopoolError `EXOPOOL_TICKET_INVALID` or `EXOPOOL_TICKET_EXPIRED`.
 */
export function openTicket(bytes: Buffer, brokerKey: Buffer, nowMs: number): Ticket {
  if (bytes.length !== ticketBytes || !bytes.subarray(0, 4).equals(magic)) {
    throw new ExopoolError(
      'EXOPOOL_TICKET_INVALID',
      `not a lease ticket: ${ticketBytes} bytes starting with XTK1 are expected`,
    );
  }
  if (!verifySignature(bytes.subarray(0, signedBytes), bytes.subarray(signedBytes), brokerKey)) {
    throw new ExopoolError('EXOPOOL_TICKET_INVALID', 'the lease ticket is not signed by this broker');
  }
  const ticket: Ticket = {
    leaseId: Buffer.from(bytes.subarray(8, 24)),
    producerKey: Buffer.from(bytes.subarray(24, 56)),
    consumerKey: Buffer.from(bytes.subarray(56, 88)),
    slabs: bytes.readUInt32LE(4),
    slabBytes: bytes.readUInt32LE(104),
    issuedAtMs: Number(bytes.readBigUInt64LE(88)),
    expiresAtMs: Number(bytes.readBigUInt64LE(96)),
    serial: bytes.readUInt32LE(108),
  };
  if (ticket.expiresAtMs <= nowMs) {
    throw new ExopoolError(
      'EXOPOOL_TICKET_EXPIRED',
      `the lease ended at ${new Date(ticket.expiresAtMs).toISOString()}; ask the broker for a new one`,
    );
  }
  return ticket;
}

/** Reads the serial of a trusted ticket, without a check of its signature. @throws ExopoolError `EXOPOOL_TICKET_INVALID`. */
export function ticketSerial(bytes: Buffer): number {
  if (bytes.length === ticketBytes) return bytes.readUInt32LE(108);
  throw new ExopoolError(
    'EXOPOOL_TICKET_INVALID',
    `a lease ticket has ${ticketBytes} bytes, not ${bytes.length}`,
  );
}

function fixed(bytes: Buffer, length: number, what: string): Buffer {
  if (bytes.length === length) return bytes;
  throw new ExopoolError('EXOPOOL_INVALID', `a ${what} has ${length} bytes, not ${bytes.length}`);
}
