/** Checks every message before the market sees it: lengths of keys, ranges of numbers. */
import { ExopoolError, publicKeyBytes } from '@exopool/shared';
import { isHostPort } from '../protocol/endpoint-setting.js';
import {
  endpointBytesMax,
  offeredSlabsMax,
  requestIdBytesMax,
  requestedSlabsMax,
} from '../protocol/limits.js';
import type { ExtendLeaseRequest__Output } from '../protocol/generated/exopool/broker/v1/ExtendLeaseRequest.js';
import type { RegisterProducerRequest__Output } from '../protocol/generated/exopool/broker/v1/RegisterProducerRequest.js';
import type { ReportUsageRequest__Output } from '../protocol/generated/exopool/broker/v1/ReportUsageRequest.js';
import type { RequestLeaseRequest__Output } from '../protocol/generated/exopool/broker/v1/RequestLeaseRequest.js';
import { leaseIdBytes } from '../protocol/ticket.js';
import type { Extension, LeaseRequest, UsageReport } from './lease-book-types.js';
import { fromDollars } from './market/billing.js';

/** Dollars per GiB and hour above which a maximum price is a mistake. */
const maxPriceMax = 1_000_000;

export function checkBytes(bytes: Buffer, length: number, what: string): Buffer {
  if (bytes.length !== length) throw invalid(`${what} has ${bytes.length} bytes; it must have ${length}`);
  return bytes;
}

export function checkPublicKey(bytes: Buffer): Buffer {
  return checkBytes(bytes, publicKeyBytes, 'public_key');
}

export function checkLeaseId(bytes: Buffer): string {
  return checkBytes(bytes, leaseIdBytes, 'lease_id').toString('hex');
}

export function checkRegistration(request: RegisterProducerRequest__Output): string {
  if (Buffer.byteLength(request.endpoint) > endpointBytesMax) {
    throw invalid(`endpoint is too long: give at most ${endpointBytesMax} bytes`);
  }
  if (!isHostPort(request.endpoint))
    throw invalid(`endpoint "${request.endpoint}" is no address: give HOST:PORT`);
  return request.endpoint;
}

export function checkReport(request: ReportUsageRequest__Output): UsageReport {
  return {
    offeredSlabs: within(request.offeredSlabs, 0, offeredSlabsMax, 'offered_slabs'),
    harvestedBytes: within(request.harvestedBytes, 0, Number.MAX_SAFE_INTEGER, 'harvested_bytes'),
    cpuLoad: within(request.cpuLoad, 0, 1, 'cpu_load'),
  };
}

export function checkLeaseRequest(request: RequestLeaseRequest__Output, secondsMax: number): LeaseRequest {
  const slabs = within(request.slabs, 1, requestedSlabsMax, 'slabs');
  if (Buffer.byteLength(request.requestId) > requestIdBytesMax) {
    throw invalid(`request_id is too long: give at most ${requestIdBytesMax} bytes`);
  }
  return {
    slabs,
    minimumSlabs: within(request.minimumSlabs, 0, slabs, 'minimum_slabs'),
    seconds: within(request.seconds, 1, secondsMax, 'seconds'),
    maxPrice: fromDollars(within(request.maxPrice, 0, maxPriceMax, 'max_price')),
    requestId: request.requestId,
  };
}

export function checkExtension(request: ExtendLeaseRequest__Output, secondsMax: number): Extension {
  return {
    leaseId: checkLeaseId(request.leaseId),
    seconds: within(request.seconds, 1, secondsMax, 'seconds'),
    maxPrice: fromDollars(within(request.maxPrice, 0, maxPriceMax, 'max_price')),
    serial: request.serial,
  };
}

function within(value: number, least: number, most: number, field: string): number {
  // Written so that NaN fails.
  if (value >= least && value <= most) return value;
  throw invalid(`${field} is ${value}: give a number from ${least} to ${most}`);
}

function invalid(message: string): ExopoolError {
  return new ExopoolError('EXOPOOL_INVALID', message);
}
