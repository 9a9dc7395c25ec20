/** What the numbers mean that a slab session begins or ends with: `enum slab_refusal`, `enum slab_status`. */
import { ExopoolError, type ErrorCode } from '@exopool/shared';

/** Why an open session ended. */
export type LossReason = 'revoked' | 'expired' | 'closed';

const refusals: Readonly<Record<number, readonly [ErrorCode, string]>> = {
  1: ['EXOPOOL_DENIED', 'does not understand what was said; is it a slab server of this version?'],
  2: ['EXOPOOL_DENIED', 'speaks another version of the slab protocol; upgrade the older side'],
  3: [
    'EXOPOOL_TICKET_INVALID',
    'does not accept the ticket: not of its broker, or meant for another producer',
  ],
  4: ['EXOPOOL_TICKET_EXPIRED', 'says that the ticket is past its end; ask the broker for a new lease'],
  5: ['EXOPOOL_TICKET_INVALID', 'says that the ticket is from the future; check both clocks'],
  6: ['EXOPOOL_NO_MEMORY', 'has too few slabs left for the ticket'],
  7: ['EXOPOOL_DENIED', "does not believe that the ticket is ours: the seed is not the consumer's"],
  8: ['EXOPOOL_DENIED', 'has ended this lease (released or revoked); ask the broker for a new one'],
  9: ['EXOPOOL_UNAVAILABLE', 'has no session free; try again later'],
  10: ['EXOPOOL_TIMEOUT', 'gave up waiting for the handshake'],
  100: ['EXOPOOL_UNAVAILABLE', 'cannot be reached'],
  101: ['EXOPOOL_TIMEOUT', 'did not answer in time'],
  102: ['EXOPOOL_DENIED', 'does not hold the key that the lease names; is somebody else at its address?'],
  103: ['EXOPOOL_DENIED', 'is no slab server'],
  104: ['EXOPOOL_DENIED', 'offers other memory than the ticket says; use another producer'],
};

/** The error for a session that was not opened. */
export function connectError(reason: number, where: string): ExopoolError {
  const [code, text] = refusals[reason] ?? [
    'EXOPOOL_DENIED',
    `refused for a reason unknown here (${reason})`,
  ];
  return new ExopoolError(code, `the producer at ${where} ${text}`);
}

/** Why an open session ended, from the notice's status. */
export function lossReason(status: number): LossReason {
  return status === 5 ? 'revoked' : status === 6 ? 'expired' : 'closed';
}
