/**
 * Serves leased memory: slabs that consumers read and write over the slab protocol (docs/slab-protocol.md).
 *
 * One native thread does it all; JavaScript only decides. A lease's memory is mapped when its consumer first
 * connects and unmapped the moment it ends: released, expired, revoked. Single slabs can be asked for (`ask`: the
 * consumer chooses which) and taken (`take`). The server keeps no process alive by itself.
 */
import { ExopoolError, publicKeyBytes, seedBytes, toExopoolError } from '@exopool/shared';
import { loadBinding } from '../load-binding.js';

/**
 * Spinning before sleep saves a wake-up (30 µs, on some machines 100) when requests follow each other closely: from
 * JavaScript that is 20 to 30 µs. A server that spins for 40 catches most of them, one that spins for 20 half.
 */
export const defaultServerSpinMicroseconds = 40;
/** A longer spin than this only burns CPU: the wake-up that it saves costs less. */
const spinMicrosecondsMax = 1000;
const slabBytesMin = 4096;
const slabBytesMax = 2 ** 31;
const leaseIdBytes = 16;
const slabsMax = 2 ** 31;
/** A burst shorter than the server's clock ticks is none; one longer than a minute is no limit. */
const burstSecondsMin = 0.01;
const burstSecondsMax = 60;
/** Below this even an idle server's own ticks would not get through. */
const cpuShareMin = 0.01;
const noRates: LeaseRates = { bytesPerSecond: 0, requestsPerSecond: 0, burstSeconds: 1 };

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
  /** What each lease may ask for; default: as much as it likes. Beyond it is told when to come back. */
  readonly rates?: LeaseRates;
  /** Most of one core that the thread may use, 0.01 to 1; default 1. */
  readonly cpuShareMax?: number;
}

export interface LeaseRates {
  /** 0: no limit. */
  readonly bytesPerSecond: number;
  /** 0: no limit. */
  readonly requestsPerSecond: number;
  /** So much of the rates may be saved up while a lease is idle. */
  readonly burstSeconds: number;
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
  /** Requests that were refused because their lease was over its rate. */
  readonly overRate: number;
  /** Slabs that were taken from leases, and that consumers gave back or let expire. */
  readonly takenSlabs: number;
  readonly releasedSlabs: number;
  /** Sessions that were not opened, by reason. */
  readonly refused: Readonly<Record<string, number>>;
  /** CPU time of the server's thread. */
  readonly cpuSeconds: number;
}

export interface SlabLease {
  readonly leaseId: Buffer;
  readonly consumerKey: Buffer;
  /** That it holds now. */
  readonly slabs: number;
  /** Leases are numbered as they are opened. */
  readonly order: number;
  readonly expiresAtMs: number;
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
    bytesPerSecond: number,
    requestsPerSecond: number,
    burstSeconds: number,
    cpuShareMax: number,
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

  /** So many slabs may be leased from now on. What is leased beyond stays: see `ask` and `take`. */
  admit(slabs: number): void {
    checkInteger('slabs', slabs, 0, slabsMax);
    this.#open().admit(slabs);
  }

  /**
   * Tells a lease's consumer that so many slabs are wanted back within `graceMs`. Nothing is taken by itself after that.
   * @returns false: no such lease.
   */
  ask(leaseId: Buffer, slabs: number, graceMs: number): boolean {
    checkBytes('leaseId', leaseId, leaseIdBytes);
    checkInteger('slabs', slabs, 1, slabsMax);
    checkInteger('graceMs', graceMs, 0, slabsMax);
    return this.#open().ask(leaseId, slabs, graceMs);
  }

  /**
   * Takes up to so many slabs of a lease, those with the highest numbers: unmapped before this returns. With its last
   * slab a lease ends.
   * @returns slabs taken.
   */
  take(leaseId: Buffer, slabs: number): number {
    checkBytes('leaseId', leaseId, leaseIdBytes);
    checkInteger('slabs', slabs, 1, slabsMax);
    return this.#open().take(leaseId, slabs);
  }

  /** Another key signs tickets from now on. Leases that are open stay. */
  setBrokerKey(key: Buffer): void {
    checkBytes('key', key, publicKeyBytes);
    this.#open().setBrokerKey(key);
  }

  /** As `admit`; and what is leased beyond is taken at once, from the youngest leases, before this returns. */
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

  /** As in the stats, but without waiting for the server's thread: for those who look often. */
  get leasedSlabs(): number {
    return this.#lastStats?.leasedSlabs ?? this.#native.leasedSlabs();
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
