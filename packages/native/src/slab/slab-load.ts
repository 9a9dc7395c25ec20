/** A native load on a slab server of this machine: for measuring it, and for being hostile to it. */
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';
import { slabRangeBytesMax } from './slab-client.js';

export interface SlabLoadOptions {
  /** On the loopback address. */
  readonly port: number;
  readonly ticket: Buffer;
  readonly seed: Buffer;
  readonly producerKey: Buffer;
  readonly connections: number;
  /** Requests that a connection sends at once; the next when all are answered. */
  readonly batch: number;
  /** Of each read, at a random place. */
  readonly valueBytes: number;
  readonly seconds: number;
  /** Requests a second of all connections; default as many as there can be. */
  readonly ratePerSecond?: number;
  /** Instead of reads: so many frames with a right MAC and whatever else comes up, `batch` at a time. */
  readonly hostileFrames?: number;
}

export interface SlabLoadResult {
  readonly requests: number;
  readonly connectionsMade: number;
  readonly seconds: number;
  /** Of the loading thread. */
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

/** Connections of one load: each is a session, of which a server has 128. */
const connectionsMax = 128;
/** A consumer has at most so many requests under way (SLAB_OUTSTANDING_MAX). */
const batchMax = 1024;
const valueBytesMax = slabRangeBytesMax;

/** @throws ExopoolError `EXOPOOL_INVALID`; and when the server cannot be reached, refuses, or answers wrongly. */
export async function loadSlabServer(options: SlabLoadOptions): Promise<SlabLoadResult> {
  const { port, connections, batch, valueBytes, seconds, ratePerSecond = 0, hostileFrames = 0 } = options;
  if (!(connections >= 1 && connections <= connectionsMax && batch >= 1 && batch <= batchMax))
    throw new ExopoolError('EXOPOOL_INVALID', `1 to ${connectionsMax} connections, 1 to ${batchMax} a batch`);
  if (!(Number.isInteger(valueBytes) && valueBytes >= 1 && valueBytes <= valueBytesMax))
    throw new ExopoolError('EXOPOOL_INVALID', `values of 1 to ${valueBytesMax} bytes, not ${valueBytes}`);
  const { slabLoad } = loadBinding() as unknown as LoadBinding;
  const numbers = [port, connections, batch, valueBytes, seconds, ratePerSecond, hostileFrames] as const;
  try {
    return await slabLoad(...numbers, options.seed, options.producerKey, options.ticket);
  } catch (error) {
    throw toExopoolError(error, `the load on the slab server at port ${port} failed`);
  }
}
