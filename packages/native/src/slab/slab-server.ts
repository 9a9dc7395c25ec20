/**
 * Serves leased memory: consumers read and write slabs over the slab protocol (docs/slab-protocol.md).
 *
 * One native thread does the work; JavaScript only decides. The memory of a lease is mapped when its consumer first
 * connects. It is unmapped as soon as the lease is released, expired or revoked. Single slabs can be asked for (`ask`:
 * the consumer chooses them) and taken (`take`). The server does not keep the process alive.
 */
import { ExopoolError, publicKeyBytes, seedBytes, toExopoolError } from '@exopool/shared';
import { SLAB_BYTES_MAX, SLAB_LEASE_ID_BYTES, slabRefusals } from '../contracts.js';
import { loadBinding } from '../load-binding.js';
import type { SlabRefusal } from './slab-outcome.js';

/**
 * Spinning before sleep saves a wake-up (30 µs, on some machines 100) when requests follow each other closely. From
 * JavaScript they come 20 to 30 µs apart. A server that spins for 40 µs catches most of them; with 20 µs, half.
 */
export const defaultServerSpinMicroseconds = 40;
/** A longer spin costs more CPU time than the wake-up that it saves. */
const spinMicrosecondsMax = 1000;
const slabBytesMin = 4096;
const slabsMax = 2 ** 31;
/** A burst shorter than a tick of the server's clock has no effect; one longer than a minute is no limit. */
const burstSecondsMin = 0.01;
const burstSecondsMax = 60;
/** Below this not even the ticks of an idle server would fit. */
const cpuShareMin = 0.01;
const noRates: LeaseRates = { bytesPerSecond: 0, requestsPerSecond: 0, burstSeconds: 1 };

/** How a slab server is started. */
export interface SlabServerOptions {
  /** An IP address to listen on, or a name that resolves to one. */
  readonly host: string;
  /** 0 takes a free port. */
  readonly port: number;
  /** The producer's Ed25519 seed, 32 bytes. Clients check the identity behind it. */
  readonly seed: Buffer;
  /** The Ed25519 key that signs tickets, 32 bytes. */
  readonly brokerKey: Buffer;
  /** Bytes of a slab, a multiple of 4096. */
  readonly slabBytes: number;
  /** Slabs that may be leased at once. */
  readonly capacitySlabs: number;
  /** How long the thread polls after activity before it sleeps, at most a quarter of a core in all. 0: it never polls. */
  readonly spinMicroseconds?: number;
  /** Rate limit of each lease; default: none. A refusal over the rate tells when to come back. */
  readonly rates?: LeaseRates;
  /** Most of one core that the thread may use, 0.01 to 1; default 1. */
  readonly cpuShareMax?: number;
}

/** The token bucket of each lease. */
export interface LeaseRates {
  /** 0: no limit. */
  readonly bytesPerSecond: number;
  /** 0: no limit. */
  readonly requestsPerSecond: number;
  /** Seconds of the rates that an idle lease may save up. */
  readonly burstSeconds: number;
}

/** Counters since the start, and sizes now. */
export interface SlabServerStats {
  readonly sessions: number;
  readonly leases: number;
  readonly leasedSlabs: number;
  readonly capacitySlabs: number;
  /** Address space of the leased slabs. Memory is used when it is written. */
  readonly mappedBytes: number;
  readonly reads: number;
  readonly writes: number;
  readonly bytesRead: number;
  readonly bytesWritten: number;
  /** Requests that were refused because their lease was over its rate. */
  readonly overRate: number;
  /** Slabs that were taken from leases, and slabs that consumers released or let expire. */
  readonly takenSlabs: number;
  readonly releasedSlabs: number;
  /** Sessions that were not opened, by reason. */
  readonly refused: Readonly<Record<SlabRefusal, number>>;
  /** CPU time of the server's thread. */
  readonly cpuSeconds: number;
}

/** One open lease. */
export interface SlabLease {
  readonly leaseId: Buffer;
  readonly consumerKey: Buffer;
  /** Slabs that it holds now. */
  readonly slabs: number;
  /** Leases are numbered in the order in which they are opened. */
  readonly order: number;
  readonly expiresAtMs: number;
}

interface NativeStats extends Omit<SlabServerStats, 'refused'> {
  /** By `slabRefusals`. */
  readonly refused: readonly number[];
}

interface NativeSlabServer {
  port(): number;
  setCapacity(slabs: number): void;
  admit(slabs: number): void;
  ask(leaseId: Buffer, slabs: number, graceMs: number): boolean;
  take(leaseId: Buffer, slabs: number): number;
  setBrokerKey(key: Buffer): void;
  revoke(leaseId: Buffer): boolean;
  leases(): SlabLease[];
  leasedSlabs(): number;
  stats(): NativeStats;
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
    bytesPerSecond: number,
    requestsPerSecond: number,
    burstSeconds: number,
    cpuShareMax: number,
  ) => NativeSlabServer;
}

/**
 * A slab server of this process.
 * @example
 * ```ts
 * import { SlabServer } from '@exopool/native/internal';
 * import { Identity } from '@exopool/shared';
 *
 * const [producer, broker] = [Identity.loadOrCreate('producer'), Identity.loadOrCreate('broker')];
 * const server = SlabServer.start({
 *   host: '127.0.0.1',
 *   port: 0,
 *   seed: producer.seed,
 *   brokerKey: broker.publicKey,
 *   slabBytes: 64 * 1024 * 1024,
 *   capacitySlabs: 16,
 * });
 * console.log(server.port, server.stats().leasedSlabs);
 * server.close();
 * ```
 */
export class SlabServer {
  readonly port: number;
  readonly #native: NativeSlabServer;
  #lastStats: SlabServerStats | undefined;

  private constructor(native: NativeSlabServer) {
    this.#native = native;
    this.port = native.port();
  }

  /** Listens, and starts to serve. @throws ExopoolError `EXOPOOL_PORT_IN_USE`, `EXOPOOL_PERMISSION`, `EXOPOOL_INVALID`. */
  static start(options: SlabServerOptions): SlabServer {
    const spin = options.spinMicroseconds ?? defaultServerSpinMicroseconds;
    checkBytes('seed', options.seed, seedBytes);
    checkBytes('brokerKey', options.brokerKey, publicKeyBytes);
    checkInteger('port', options.port, 0, 65535);
    checkInteger('slabBytes', options.slabBytes, slabBytesMin, SLAB_BYTES_MAX);
    checkInteger('capacitySlabs', options.capacitySlabs, 0, slabsMax);
    checkInteger('spinMicroseconds', spin, 0, spinMicrosecondsMax);
    if (options.slabBytes % slabBytesMin !== 0) {
      throw new ExopoolError('EXOPOOL_INVALID', `slabBytes must be a multiple of ${slabBytesMin}`);
    }
    const { SlabServer: Native } = loadBinding() as unknown as SlabServerBinding;
    const {
      host,
      port,
      seed,
      brokerKey,
      slabBytes,
      capacitySlabs,
      rates = noRates,
      cpuShareMax = 1,
    } = options;
    const { bytesPerSecond, requestsPerSecond, burstSeconds } = rates;
    checkNumber('rates.bytesPerSecond', bytesPerSecond, 0, Number.MAX_SAFE_INTEGER);
    checkNumber('rates.requestsPerSecond', requestsPerSecond, 0, Number.MAX_SAFE_INTEGER);
    checkNumber('rates.burstSeconds', burstSeconds, burstSecondsMin, burstSecondsMax);
    checkNumber('cpuShareMax', cpuShareMax, cpuShareMin, 1);
    const limits = [bytesPerSecond, requestsPerSecond, burstSeconds, cpuShareMax] as const;
    try {
      return new SlabServer(
        new Native(host, port, seed, brokerKey, slabBytes, capacitySlabs, spin, ...limits),
      );
    } catch (error) {
      throw toExopoolError(error, `cannot serve slabs on ${host}:${port}`);
    }
  }

  /** Sets how many slabs may be leased from now on. Slabs that are leased beyond stay: see `ask` and `take`. */
  admit(slabs: number): void {
    checkInteger('slabs', slabs, 0, slabsMax);
    this.#open().admit(slabs);
  }

  /**
   * Asks the consumer of a lease to give slabs back within `graceMs`. The server does not take them by itself afterwards.
   * @returns false when there is no such lease.
   */
  ask(leaseId: Buffer, slabs: number, graceMs: number): boolean {
    checkBytes('leaseId', leaseId, SLAB_LEASE_ID_BYTES);
    checkInteger('slabs', slabs, 1, slabsMax);
    checkInteger('graceMs', graceMs, 0, slabsMax);
    return this.#open().ask(leaseId, slabs, graceMs);
  }

  /**
   * Takes up to `slabs` slabs of a lease, those with the highest numbers. They are unmapped before this returns. A lease
   * ends with its last slab.
   * @returns the number of slabs that were taken.
   */
  take(leaseId: Buffer, slabs: number): number {
    checkBytes('leaseId', leaseId, SLAB_LEASE_ID_BYTES);
    checkInteger('slabs', slabs, 1, slabsMax);
    return this.#open().take(leaseId, slabs);
  }

  /** Sets the key that signs tickets from now on. Open leases stay. */
  setBrokerKey(key: Buffer): void {
    checkBytes('key', key, publicKeyBytes);
    this.#open().setBrokerKey(key);
  }

  /** As `admit`. Slabs that are leased beyond are taken from the youngest leases before this returns. */
  setCapacity(slabs: number): void {
    checkInteger('slabs', slabs, 0, slabsMax);
    this.#open().setCapacity(slabs);
  }

  /**
   * Ends a lease. Its memory is unmapped before this returns, and its clients are told.
   * @returns false when there is no such lease.
   */
  revoke(leaseId: Buffer): boolean {
    checkBytes('leaseId', leaseId, SLAB_LEASE_ID_BYTES);
    return this.#open().revoke(leaseId);
  }

  /** All open leases. */
  leases(): SlabLease[] {
    return this.#open().leases();
  }

  /** As in the stats, but without waiting for the server's thread: for frequent calls. */
  get leasedSlabs(): number {
    return this.#lastStats?.leasedSlabs ?? this.#native.leasedSlabs();
  }

  /** The counters now; after `close` those of its moment. */
  stats(): SlabServerStats {
    return this.#lastStats ?? named(this.#native.stats());
  }

  /** Ends every session and unmaps all memory. Idempotent. */
  close(): void {
    if (this.#lastStats !== undefined) return;
    this.#lastStats = { ...this.stats(), sessions: 0, leases: 0, leasedSlabs: 0, mappedBytes: 0 };
    this.#native.close();
  }

  #open(): NativeSlabServer {
    if (this.#lastStats === undefined) return this.#native;
    throw new ExopoolError('EXOPOOL_CLOSED', 'the slab server is closed; start another one');
  }
}

function named({ refused, ...stats }: NativeStats): SlabServerStats {
  const byReason = slabRefusals.slice(1).map((reason, at) => [reason, refused[at + 1]!]);
  return { ...stats, refused: Object.fromEntries(byReason) as Record<SlabRefusal, number> };
}

function checkBytes(name: string, bytes: Buffer, length: number): void {
  if (bytes.length === length) return;
  throw new ExopoolError('EXOPOOL_INVALID', `${name} must have ${length} bytes, not ${bytes.length}`);
}

function checkNumber(name: string, value: number, least: number, most: number): void {
  if (value >= least && value <= most) return;
  throw new ExopoolError('EXOPOOL_INVALID', `${name} must be from ${least} to ${most}, not ${value}`);
}

function checkInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new ExopoolError(
    'EXOPOOL_INVALID',
    `${name} must be a whole number from ${least} to ${most}, not ${value}`,
  );
}
