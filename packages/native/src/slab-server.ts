/**
 * Serves leased memory: slabs that consumers read and write over the slab protocol (docs/slab-protocol.md).
 *
 * One native thread does it all; JavaScript only decides. A lease's memory is mapped when its consumer first
 * connects and unmapped the moment it ends: released, expired, revoked, or squeezed out by a smaller capacity. The
 * server keeps no process alive by itself.
 */
import { ExopoolError, publicKeyBytes, seedBytes, toExopoolError } from '@exopool/shared';
import { loadBinding } from './load-binding.js';

/**
 * Spinning before sleep saves a wake-up (10–30 µs) when requests follow each other closely. On two cores, a sequential
 * 1 KiB read took 65 µs without, 41 with 20 µs on both sides, and no less with 50 or 100; 200 starved everybody else.
 */
export const defaultServerSpinMicroseconds = 20;
/** A longer spin than this only burns CPU: the wake-up that it saves costs less. */
const spinMicrosecondsMax = 1000;
const slabBytesMin = 4096;
const slabBytesMax = 2 ** 31;
const leaseIdBytes = 16;
const slabsMax = 2 ** 31;

export interface SlabServerOptions {
  /** An IP address to listen on, or a name that resolves to one. */
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** The producer's Ed25519 seed, 32 bytes: clients check that they talk to its owner. */
  readonly seed: Buffer;
  /** The Ed25519 key that signs tickets, 32 bytes. */
  readonly brokerKey: Buffer;
  /** Bytes of a slab, a multiple of 4096. */
  readonly slabBytes: number;
  /** Slabs that may be leased at once. */
  readonly capacitySlabs: number;
  /** How long the thread polls after activity before it sleeps, at most a quarter of a core in all; 0: never. */
  readonly spinMicroseconds?: number;
}

/** Counters since the start, and sizes now. */
export interface SlabServerStats {
  readonly sessions: number;
  readonly leases: number;
  readonly leasedSlabs: number;
  readonly capacitySlabs: number;
  /** Address space of the leased slabs; memory is used as it is written. */
  readonly mappedBytes: number;
  readonly reads: number;
  readonly writes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Sessions that were not opened, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** CPU time of the server's thread. */
  readonly cpuSeconds: number;
}

export interface SlabLease {
  readonly leaseId: Buffer;
  readonly consumerKey: Buffer;
  readonly slabs: number;
  readonly expiresAtMs: number;
}

interface NativeSlabServer {
  port(): number;
  setCapacity(slabs: number): void;
  revoke(leaseId: Buffer): boolean;
  leases(): SlabLease[];
  stats(): SlabServerStats;
  close(): void;
}

interface SlabServerBinding {
  readonly SlabServer: new (
    host: string,
    port: number,
    seed: Buffer,
    brokerKey: Buffer,
    slabBytes: number,
    capacitySlabs: number,
    spinMicroseconds: number,
  ) => NativeSlabServer;
}

export class SlabServer {
  readonly port: number;
  readonly #native: NativeSlabServer;
  #lastStats: SlabServerStats | undefined;

  private constructor(native: NativeSlabServer) {
    this.#native = native;
    this.port = native.port();
  }

  /** @throws ExopoolError `EXOPOOL_PORT_IN_USE`, `EXOPOOL_PERMISSION`, `EXOPOOL_INVALID`. */
  static start(options: SlabServerOptions): SlabServer {
    const spin = options.spinMicroseconds ?? defaultServerSpinMicroseconds;
    checkBytes('seed', options.seed, seedBytes);
    checkBytes('brokerKey', options.brokerKey, publicKeyBytes);
    checkInteger('port', options.port, 0, 65535);
    checkInteger('slabBytes', options.slabBytes, slabBytesMin, slabBytesMax);
    checkInteger('capacitySlabs', options.capacitySlabs, 0, slabsMax);
    checkInteger('spinMicroseconds', spin, 0, spinMicrosecondsMax);
    if (options.slabBytes % slabBytesMin !== 0) {
      throw new ExopoolError('EXOPOOL_INVALID', `slabBytes must be a multiple of ${slabBytesMin}`);
    }
    const { SlabServer: Native } = loadBinding() as unknown as SlabServerBinding;
    const { host, port, seed, brokerKey, slabBytes, capacitySlabs } = options;
    try {
      return new SlabServer(new Native(host, port, seed, brokerKey, slabBytes, capacitySlabs, spin));
    } catch (error) {
      throw toExopoolError(error, `cannot serve slabs on ${host}:${port}`);
    }
  }

  /** Below what is leased, whole leases are revoked, the youngest first, until the rest fits. */
  setCapacity(slabs: number): void {
    checkInteger('slabs', slabs, 0, slabsMax);
    this.#open().setCapacity(slabs);
  }

  /** Ends a lease: its memory is unmapped before this returns, and its clients are told. False: no such lease. */
  revoke(leaseId: Buffer): boolean {
    checkBytes('leaseId', leaseId, leaseIdBytes);
    return this.#open().revoke(leaseId);
  }

  leases(): SlabLease[] {
    return this.#open().leases();
  }

  /** After `close`: the counters as they were then. */
  stats(): SlabServerStats {
    return this.#lastStats ?? this.#native.stats();
  }

  /** Ends every session and unmaps all memory. Idempotent. */
  close(): void {
    if (this.#lastStats !== undefined) return;
    this.#lastStats = { ...this.#native.stats(), sessions: 0, leases: 0, leasedSlabs: 0, mappedBytes: 0 };
    this.#native.close();
  }

  #open(): NativeSlabServer {
    if (this.#lastStats === undefined) return this.#native;
    throw new ExopoolError('EXOPOOL_CLOSED', 'the slab server is closed');
  }
}

function checkBytes(name: string, bytes: Buffer, length: number): void {
  if (bytes.length === length) return;
  throw new ExopoolError('EXOPOOL_INVALID', `${name} must have ${length} bytes, not ${bytes.length}`);
}

function checkInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new ExopoolError(
    'EXOPOOL_INVALID',
    `${name} must be a whole number from ${least} to ${most}, not ${value}`,
  );
}
