/**
 * Errors over gRPC. The status gives the kind of error, and the metadata `exopool-code` its exact code. So a caller gets
 * an {@link ExopoolError} with the code and message that the broker threw.
 */
import { Metadata, status, type ServiceError, type StatusObject } from '@grpc/grpc-js';
import { ExopoolError, errorCodes, toExopoolError, type ErrorCode } from '@exopool/shared';

const codeKey = 'exopool-code';

const statusOf: Partial<Record<ErrorCode, status>> = {
  EXOPOOL_INVALID: status.INVALID_ARGUMENT,
  EXOPOOL_NOT_FOUND: status.NOT_FOUND,
  EXOPOOL_DENIED: status.PERMISSION_DENIED,
  EXOPOOL_NO_MEMORY: status.RESOURCE_EXHAUSTED,
  EXOPOOL_TICKET_EXPIRED: status.FAILED_PRECONDITION,
  EXOPOOL_UNAVAILABLE: status.UNAVAILABLE,
};

/** The answer of a handler that threw. The details of an internal error stay in the broker's log. */
export function toStatus(thrown: unknown): StatusObject {
  const error = toExopoolError(thrown);
  const metadata = new Metadata();
  metadata.set(codeKey, error.code);
  const details =
    error.code === 'EXOPOOL_INTERNAL' ? 'internal error of the broker; see its log' : error.message;
  return { code: statusOf[error.code] ?? status.INTERNAL, details, metadata };
}

/** The answer to a call with an unknown token: the client must log in again. */
export function unauthenticated(): StatusObject {
  const metadata = new Metadata();
  metadata.set(codeKey, 'EXOPOOL_DENIED');
  return { code: status.UNAUTHENTICATED, details: 'unknown session: log in again', metadata };
}

export function isUnauthenticated(error: unknown): boolean {
  return (error as Partial<ServiceError>).code === status.UNAUTHENTICATED;
}

/** The typed error for a failed call to the broker at `endpoint`. */
export function fromServiceError(error: ServiceError, endpoint: string, caFile: string): ExopoolError {
  const [code] = error.metadata.get(codeKey);
  if (typeof code === 'string' && code in errorCodes) {
    return new ExopoolError(code as ErrorCode, error.details, { cause: error });
  }
  const [kind, message] = explain(error, endpoint, caFile);
  return new ExopoolError(kind, message, { cause: error });
}

function explain(error: ServiceError, endpoint: string, caFile: string): [ErrorCode, string] {
  if (/certificate|altnames|self.signed/i.test(error.details)) {
    const message = `the certificate of the broker at ${endpoint} does not match ${caFile}: give that broker's tls/ca.pem, or start it with --names HOST`;
    return ['EXOPOOL_DENIED', message];
  }
  switch (error.code) {
    case status.DEADLINE_EXCEEDED:
      return [
        'EXOPOOL_TIMEOUT',
        `the broker at ${endpoint} did not answer in time: check that it runs, or give a longer timeout`,
      ];
    case status.CANCELLED:
      return ['EXOPOOL_ABORTED', `the call to the broker at ${endpoint} was cancelled`];
    case status.UNAVAILABLE:
      return [
        'EXOPOOL_UNAVAILABLE',
        `no broker at ${endpoint}: start one with \`exopool broker\`, or check --broker`,
      ];
    default:
      return ['EXOPOOL_PROTOCOL', `unexpected answer of the broker at ${endpoint}: ${error.details}`];
  }
}
