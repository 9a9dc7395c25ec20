/** Gives the numbers with which a slab session begins or ends their meaning. */
import { ExopoolError, type ErrorCode } from '@exopool/shared';
import { slabFailure, slabRefusals, slabStatus } from '../contracts.js';

/** Why an open session ended. */
export type LossReason = 'revoked' | 'expired' | 'closed';

/** Why a producer opens no session. */
export type SlabRefusal = Exclude<(typeof slabRefusals)[number], 'none'>;

type Outcome = readonly [code: ErrorCode, text: string];

/** By what the producer said. */
const refused: Readonly<Record<SlabRefusal, Outcome>> = {
  protocol: ['EXOPOOL_DENIED', 'does not understand what was said; is it a slab server of this version?'],
  version: ['EXOPOOL_DENIED', 'speaks another version of the slab protocol; upgrade the older side'],
  ticketInvalid: [
    'EXOPOOL_TICKET_INVALID',
    'does not accept the ticket: not of its broker, or meant for another producer',
  ],
  ticketExpired: [
    'EXOPOOL_TICKET_EXPIRED',
    'says that the ticket is past its end; ask the broker for a new lease',
  ],
  ticketEarly: ['EXOPOOL_TICKET_INVALID', 'says that the ticket is from the future; check both clocks'],
  noMemory: ['EXOPOOL_NO_MEMORY', 'has too few slabs left for the ticket'],
  denied: ['EXOPOOL_DENIED', "does not believe that the ticket is ours: the seed is not the consumer's"],
  leaseEnded: ['EXOPOOL_DENIED', 'has ended this lease (released or revoked); ask the broker for a new one'],
  busy: ['EXOPOOL_UNAVAILABLE', 'has no session free; try again later'],
  timeout: ['EXOPOOL_TIMEOUT', 'gave up waiting for the handshake'],
};

/** By what this side found. */
const failed: Readonly<Record<keyof typeof slabFailure, Outcome>> = {
  unreachable: ['EXOPOOL_UNAVAILABLE', 'cannot be reached'],
  timeout: ['EXOPOOL_TIMEOUT', 'did not answer in time'],
  impostor: [
    'EXOPOOL_DENIED',
    'does not hold the key that the lease names; is somebody else at its address?',
  ],
  protocol: ['EXOPOOL_DENIED', 'is no slab server'],
  otherMemory: ['EXOPOOL_DENIED', 'offers other memory than the ticket says; use another producer'],
};

const outcomes: ReadonlyMap<number, Outcome> = new Map([
  ...Object.entries(refused).map(
    ([name, outcome]) => [slabRefusals.indexOf(name as SlabRefusal), outcome] as const,
  ),
  ...Object.entries(failed).map(
    ([name, outcome]) => [slabFailure[name as keyof typeof slabFailure], outcome] as const,
  ),
]);

/** The error for a session that was not opened. */
export function connectError(reason: number, where: string): ExopoolError {
  const [code, text] = outcomes.get(reason) ?? [
    'EXOPOOL_DENIED',
    `refused for a reason unknown here (${reason})`,
  ];
  return new ExopoolError(code, `the producer at ${where} ${text}`);
}

/** Why an open session ended, from the notice's status. */
export function lossReason(status: number): LossReason {
  if (status === slabStatus.revoked) return 'revoked';
  return status === slabStatus.expired ? 'expired' : 'closed';
}
