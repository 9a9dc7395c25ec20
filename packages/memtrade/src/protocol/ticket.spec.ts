import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Identity, type ExopoolError } from '@exopool/shared';
import { openTicket, signTicket, ticketBytes, ticketSerial, type Ticket } from './ticket.js';

const broker = new Identity(Buffer.alloc(32, 1));
const ticket: Ticket = {
  leaseId: Buffer.alloc(16, 2),
  producerKey: Buffer.alloc(32, 3),
  consumerKey: Buffer.alloc(32, 4),
  slabs: 5,
  slabBytes: 64 << 20,
  issuedAtMs: 1_700_000_000_000,
  expiresAtMs: 1_700_000_060_000,
  serial: 6,
};
const duringLeaseMs = ticket.issuedAtMs + 1;

const codeOf = (bytes: Buffer, key = broker.publicKey, nowMs = duringLeaseMs): string => {
  try {
    openTicket(bytes, key, nowMs);
    return 'opened';
  } catch (error) {
    return (error as ExopoolError).code;
  }
};

describe('ticket', () => {
  it('has the documented layout', () => {
    const bytes = signTicket(ticket, broker);
    expect(bytes.subarray(0, 128).toString('hex')).toBe(
      [
        '58544b31' + '05000000',
        '02'.repeat(16) + '03'.repeat(32) + '04'.repeat(32),
        '0068e5cf8b010000' + '6052e6cf8b010000',
        '00000004' + '06000000' + '00'.repeat(16),
      ].join(''),
    );
    expect(bytes.length).toBe(ticketBytes);
    expect(ticketSerial(bytes)).toBe(6);
  });

  it('opens as it was signed, until its end', () => {
    const bytes = signTicket(ticket, broker);
    expect(openTicket(bytes, broker.publicKey, ticket.expiresAtMs - 1)).toEqual(ticket);
    expect(codeOf(bytes, broker.publicKey, ticket.expiresAtMs)).toBe('EXOPOOL_TICKET_EXPIRED');
  });

  it('refuses a forged signer and any flipped bit', () => {
    const bytes = signTicket(ticket, broker);
    expect(codeOf(bytes, new Identity().publicKey)).toBe('EXOPOOL_TICKET_INVALID');
    fc.assert(
      fc.property(fc.nat(ticketBytes * 8 - 1), (bit) => {
        const forged = Buffer.from(bytes);
        forged[bit >> 3]! ^= 1 << (bit & 7);
        expect(codeOf(forged)).toBe('EXOPOOL_TICKET_INVALID');
      }),
      { numRuns: 40 },
    );
  });

  it('refuses bytes that are no ticket', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 400 }), (bytes) => {
        expect(codeOf(Buffer.from(bytes))).toBe('EXOPOOL_TICKET_INVALID');
      }),
    );
  });

  it('refuses fields of a wrong length', () => {
    expect(() => signTicket({ ...ticket, leaseId: Buffer.alloc(15) }, broker)).toThrow(/16 bytes, not 15/);
    expect(() => ticketSerial(Buffer.alloc(3))).toThrow(/192 bytes/);
  });
});
