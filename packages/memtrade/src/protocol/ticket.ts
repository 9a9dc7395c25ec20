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
import {
  SLAB_LEASE_ID_BYTES,
  SLAB_TICKET_BYTES,
  SLAB_TICKET_MAGIC,
  slabTicket as field,
} from '@exopool/native/contracts';
import { ExopoolError, publicKeyBytes, verifySignature, type Identity } from '@exopool/shared';

/** The size of a ticket. */
export const ticketBytes = SLAB_TICKET_BYTES;
const magic = Buffer.from(SLAB_TICKET_MAGIC);
export const leaseIdBytes = SLAB_LEASE_ID_BYTES;

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
  magic.copy(bytes, field.magic);
  bytes.writeUInt32LE(ticket.slabs, field.slabs);
  fixed(ticket.leaseId, leaseIdBytes, 'lease id').copy(bytes, field.lease_id);
  fixed(ticket.producerKey, publicKeyBytes, 'producer key').copy(bytes, field.producer_key);
  fixed(ticket.consumerKey, publicKeyBytes, 'consumer key').copy(bytes, field.consumer_key);
  bytes.writeBigUInt64LE(BigInt(ticket.issuedAtMs), field.issued_at_ms);
  bytes.writeBigUInt64LE(BigInt(ticket.expiresAtMs), field.expires_at_ms);
  bytes.writeUInt32LE(ticket.slabBytes, field.slab_bytes);
  bytes.writeUInt32LE(ticket.serial, field.serial);
  broker.sign(bytes.subarray(0, field.signature)).copy(bytes, field.signature);
  return bytes;
}

/**
 * Reads a ticket and checks its form, signature and time.
 * @param nowMs Unix time, milliseconds.
 * @throws ExopoolError `EXOPOOL_TICKET_INVALID` or `EXOPOOL_TICKET_EXPIRED`.
 */
export function openTicket(bytes: Buffer, brokerKey: Buffer, nowMs: number): Ticket {
  if (bytes.length !== ticketBytes || !bytes.subarray(0, magic.length).equals(magic)) {
    throw new ExopoolError(
      'EXOPOOL_TICKET_INVALID',
      `not a lease ticket: ${ticketBytes} bytes starting with ${SLAB_TICKET_MAGIC} are expected`,
    );
  }
  if (!verifySignature(bytes.subarray(0, field.signature), bytes.subarray(field.signature), brokerKey)) {
    throw new ExopoolError('EXOPOOL_TICKET_INVALID', 'the lease ticket is not signed by this broker');
  }
  const ticket: Ticket = {
    leaseId: copyOf(bytes, field.lease_id, leaseIdBytes),
    producerKey: copyOf(bytes, field.producer_key, publicKeyBytes),
    consumerKey: copyOf(bytes, field.consumer_key, publicKeyBytes),
    slabs: bytes.readUInt32LE(field.slabs),
    slabBytes: bytes.readUInt32LE(field.slab_bytes),
    issuedAtMs: Number(bytes.readBigUInt64LE(field.issued_at_ms)),
    expiresAtMs: Number(bytes.readBigUInt64LE(field.expires_at_ms)),
    serial: bytes.readUInt32LE(field.serial),
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
  if (bytes.length === ticketBytes) return bytes.readUInt32LE(field.serial);
  throw new ExopoolError(
    'EXOPOOL_TICKET_INVALID',
    `a lease ticket has ${ticketBytes} bytes, not ${bytes.length}`,
  );
}

function copyOf(bytes: Buffer, at: number, length: number): Buffer {
  return Buffer.from(bytes.subarray(at, at + length));
}

function fixed(bytes: Buffer, length: number, what: string): Buffer {
  if (bytes.length === length) return bytes;
  throw new ExopoolError('EXOPOOL_INVALID', `a ${what} has ${length} bytes, not ${bytes.length}`);
}
