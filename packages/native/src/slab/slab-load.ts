/** A native load on a slab server of this machine, to measure it and to attack it. */
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { SLAB_OUTSTANDING_MAX, SLAB_PAYLOAD_MAX, SLAB_SESSIONS_MAX } from '../contracts.js';
import { loadBinding } from '../load-binding.js';

/** What load to make. */
export interface SlabLoadOptions {
  /** Port of the server on the loopback address. */
  readonly port: number;
  readonly ticket: Buffer;
  readonly seed: Buffer;
  readonly producerKey: Buffer;
  readonly connections: number;
  /** Requests that a connection sends at once. It sends the next batch when all are answered. */
  readonly batch: number;
  /** Bytes of each read, at a random place. */
  readonly valueBytes: number;
  readonly seconds: number;
  /** Requests a second of all connections together. Default: no limit. */
  readonly ratePerSecond?: number;
  /** Sends this many frames instead of reads, with a valid MAC and otherwise random bytes, `batch` at a time. */
  readonly hostileFrames?: number;
}

/** What the load measured. */
export interface SlabLoadResult {
  readonly requests: number;
  readonly connectionsMade: number;
  readonly seconds: number;
  /** CPU time of the loading thread. */
  readonly cpuSeconds: number;
  /** Time of a batch, microseconds. */
  readonly p50Us: number;
  readonly p99Us: number;
}

interface LoadBinding {
  readonly slabLoad: (
    port: number,
    connections: number,
    batch: number,
    valueBytes: number,
    seconds: number,
    rate: number,
    hostileFrames: number,
    seed: Buffer,
    producerKey: Buffer,
    ticket: Buffer,
  ) => Promise<SlabLoadResult>;
}

/** Runs the load. @throws ExopoolError `EXOPOOL_INVALID`; others when the server is away, refuses or answers wrongly. */
export async function loadSlabServer(options: SlabLoadOptions): Promise<SlabLoadResult> {
  const { port, connections, batch, valueBytes, seconds, ratePerSecond = 0, hostileFrames = 0 } = options;
  if (!(connections >= 1 && connections <= SLAB_SESSIONS_MAX && batch >= 1 && batch <= SLAB_OUTSTANDING_MAX))
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `1 to ${SLAB_SESSIONS_MAX} connections, 1 to ${SLAB_OUTSTANDING_MAX} a batch`,
    );
  if (!(Number.isInteger(valueBytes) && valueBytes >= 1 && valueBytes <= SLAB_PAYLOAD_MAX))
    throw new ExopoolError('EXOPOOL_INVALID', `values of 1 to ${SLAB_PAYLOAD_MAX} bytes, not ${valueBytes}`);
  const { slabLoad } = loadBinding() as unknown as LoadBinding;
  const numbers = [port, connections, batch, valueBytes, seconds, ratePerSecond, hostileFrames] as const;
  try {
    return await slabLoad(...numbers, options.seed, options.producerKey, options.ticket);
  } catch (error) {
    throw toExopoolError(error, `the load on the slab server at port ${port} failed`);
  }
}
