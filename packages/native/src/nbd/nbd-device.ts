/**
 * A block device over leased memory. nbdkit with our plugin (nbd/) serves it to NBD clients, in a process of its own. No
 * JavaScript is on its data path, and its memory is locked, so a machine can swap to it.
 *
 *   this process: leases --control channel--> nbdkit: pages -> producers, backing file <-- NBD -- clients
 *
 * If this process is killed, the device goes on from its backing file for its present clients, and ends with the last of
 * them.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { rmSync } from 'node:fs';
import type { Duplex } from 'node:stream';
import { ExopoolError, toExopoolError, type ErrorCode } from '@exopool/shared';
import { NbdControl } from './nbd-control.js';
import { NbdSession } from './nbd-session.js';
import { nbdSupport } from './nbd-support.js';
import type { SlabSessionOptions } from '../slab/slab-session-options.js';

/** Bytes of a page. The device's size is a multiple; requests of whole pages cost least. */
export const nbdPageBytes = 4096;
/** Making the file and locking the memory takes milliseconds; on a busy machine a hundred times that. */
const readyTimeoutMs = 20_000;
/** For a clean end, which waits for requests in flight. */
const closeTimeoutMs = 10_000;
/** Bytes of nbdkit's standard error that are kept to explain its end. */
const complaintBytesMax = 4096;
const controlFd = 3;

/** Where the device listens: a Unix socket, or an address of this machine. */
export type NbdPlace = { readonly socket: string } | { readonly host: string; readonly port: number };

/** How a block device is served. */
export interface NbdDeviceOptions {
  readonly listen: NbdPlace;
  /** A multiple of {@link nbdPageBytes}. */
  readonly sizeBytes: number;
  /** Folder for the backing file, which has no name and ends with the device. */
  readonly folder: string;
  /** Buffer for pages on their way to the backing file. Writers wait while it is full. */
  readonly bufferBytes: number;
  /** Seals the pages. Default true. Without seals a producer can read and change the pages: only for trusted ones. */
  readonly isSealed?: boolean | undefined;
  /** Folder with `server-cert.pem`, `server-key.pem` and `ca-cert.pem`. Clients need a certificate of that CA. */
  readonly tlsCertificates?: string | undefined;
  /** File with lines of `USER:HEX-KEY`. Clients need one of the keys. */
  readonly tlsPsk?: string | undefined;
}

/** Counters of the device, in pages of 4 KiB unless a field says otherwise. */
export interface NbdStats {
  /** Pages read from leased memory, from the write-behind buffer, from the backing file; never written, so zero. */
  readonly readLeased: number;
  readonly readBuffered: number;
  readonly readFile: number;
  readonly readZero: number;
  /** Leased memory had changed bytes; the backing file answered. */
  readonly tampered: number;
  /** Leased memory did not answer; the backing file answered. */
  readonly lost: number;
  /** The backing file had changed bytes; the client got an error. */
  readonly corrupt: number;
  readonly written: number;
  readonly writtenLeased: number;
  readonly discarded: number;
  /** Requests. */
  readonly flushes: number;
  readonly leasedUsed: number;
  readonly leasedCapacity: number;
  /** Pages in the write-behind buffer. */
  readonly dirty: number;
  readonly evictions: number;
  readonly fileWritten: number;
  /** Failed writes to the backing file, counted by attempt. */
  readonly fileFailures: number;
}

/**
 * A block device that is served now.
 * @example
 * ```ts
 * import { NbdDevice } from '@exopool/native/internal';
 *
 * const device = await NbdDevice.start({
 *   listen: { socket: '/run/exopool.sock' },
 *   sizeBytes: 1024 ** 3,
 *   folder: '/var/tmp',
 *   bufferBytes: 64 * 1024 * 1024,
 * });
 * console.log(await device.stats());
 * await device.close();
 * ```
 */
export class NbdDevice {
  /** The backing file is read and written past the page cache. */
  readonly isDirect: boolean;
  /** The device's memory is locked. If it is not, do not swap to the device. */
  readonly isLocked: boolean;
  /** Resolves with the reason when the device ended by itself, not by {@link close}. */
  readonly failed: Promise<ExopoolError>;
  readonly #process: NbdProcess;
  #sessions = 0;

  private constructor(child: NbdProcess, isDirect: boolean, isLocked: boolean) {
    this.#process = child;
    this.isDirect = isDirect;
    this.isLocked = isLocked;
    this.failed = child.failed;
  }

  /**
   * Starts nbdkit, and waits until it serves.
   * @throws ExopoolError `EXOPOOL_UNSUPPORTED` without nbdkit, `EXOPOOL_PORT_IN_USE`, `EXOPOOL_TIMEOUT`, or another code
   *   for nbdkit's own complaint.
   */
  static async start(options: NbdDeviceOptions): Promise<NbdDevice> {
    const child = new NbdProcess(options);
    try {
      const [, direct, locked] = await child.ready();
      return new NbdDevice(child, direct === '1', locked === '1');
    } catch (error) {
      await child.close();
      throw error;
    }
  }

  /** Pid of nbdkit. */
  get pid(): number | undefined {
    return this.#process.pid;
  }

  /** Uses the slabs of a lease from now on. Throws as `SlabSession.connect` does. */
  connect(options: SlabSessionOptions): Promise<NbdSession> {
    return NbdSession.connect(this.#process.control, String(++this.#sessions), options);
  }

  /** The counters now. @throws ExopoolError `EXOPOOL_CLOSED` when the device has ended. */
  async stats(): Promise<NbdStats> {
    this.#process.control.say('stats');
    const words = await this.#process.control.next('stats');
    const figures = words.slice(1).map((word) => word.split('='));
    const numbers: unknown = Object.fromEntries(figures.map(([name, number]) => [name, Number(number)]));
    return numbers as NbdStats;
  }

  /** Ends the device. Clients lose their connections, and its content is gone. Idempotent. */
  close(): Promise<void> {
    return this.#process.close();
  }
}

/** nbdkit as a child process, with its control channel and its standard error. */
class NbdProcess {
  readonly control: NbdControl;
  readonly failed: Promise<ExopoolError>;
  readonly #child: ChildProcess;
  readonly #place: NbdPlace;
  #isReady = false;
  readonly #ended: Promise<void>;
  #complaint = '';
  #closing: Promise<void> | undefined;

  constructor(options: NbdDeviceOptions) {
    this.#place = options.listen;
    const support = nbdSupport();
    if (!support.available) {
      const text = `cannot serve a block device: ${support.reason}; to enable it: ${support.fix}`;
      throw new ExopoolError('EXOPOOL_UNSUPPORTED', text);
    }
    // In a session of its own: Ctrl-C in a terminal reaches this process, which then ends nbdkit in order.
    this.#child = spawn(support.nbdkit, nbdkitArguments(support.plugin, options), {
      detached: true,
      stdio: ['ignore', 'ignore', 'pipe', 'pipe'],
    });
    this.control = new NbdControl(this.#child.stdio[controlFd] as Duplex);
    this.#child.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString('utf8')).slice(-complaintBytesMax);
    });
    let fail: (error: ExopoolError) => void;
    this.failed = new Promise((resolve) => (fail = resolve));
    this.#ended = new Promise((resolve) => {
      this.#child.once('error', (error) => {
        fail(toExopoolError(error, 'cannot start nbdkit'));
        resolve();
      });
      this.#child.once('close', (status, signal) => {
        if (this.#closing === undefined) fail(endError(this.#complaint, status, signal));
        resolve();
      });
    });
  }

  get pid(): number | undefined {
    return this.#child.pid;
  }

  /** Resolves with nbdkit's first line. */
  async ready(): Promise<readonly string[]> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      const text = `nbdkit was not ready within ${readyTimeoutMs / 1000} s; is the disk of the backing file overloaded?`;
      timer = setTimeout(() => reject(new ExopoolError('EXOPOOL_TIMEOUT', text)), readyTimeoutMs);
    });
    const line = this.control.next('ready').catch(async () => Promise.reject(await this.failed));
    const words = await Promise.race([line, late]).finally(() => clearTimeout(timer));
    this.#isReady = true;
    return words;
  }

  close(): Promise<void> {
    return (this.#closing ??= this.#end());
  }

  async #end(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) this.#child.kill('SIGTERM');
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), closeTimeoutMs);
    await this.#ended;
    clearTimeout(timer);
    this.control.close();
    // nbdkit leaves its socket behind. A socket that existed before belongs to somebody else.
    if (this.#isReady && 'socket' in this.#place) rmSync(this.#place.socket, { force: true });
  }
}

function nbdkitArguments(plugin: string, options: NbdDeviceOptions): string[] {
  const { listen, sizeBytes, folder, bufferBytes, isSealed = true, tlsCertificates, tlsPsk } = options;
  const place =
    'socket' in listen ? ['--unix', listen.socket] : ['--ipaddr', listen.host, '--port', String(listen.port)];
  const tls =
    tlsPsk !== undefined
      ? ['--tls=require', `--tls-psk=${tlsPsk}`]
      : tlsCertificates !== undefined
        ? ['--tls=require', `--tls-certificates=${tlsCertificates}`, '--tls-verify-peer']
        : ['--tls=off'];
  const settings = { size: sizeBytes, folder, buffer: bufferBytes, control: controlFd, sealed: isSealed };
  const words = Object.entries(settings).map(([name, value]) => `${name}=${value}`);
  return ['--foreground', ...place, ...tls, plugin, ...words];
}

/** Codes for nbdkit's complaints, by a part of their text. */
const complaints: readonly (readonly [text: string, code: ErrorCode])[] = [
  ['Address already in use', 'EXOPOOL_PORT_IN_USE'],
  ['No space left on device', 'EXOPOOL_NO_SPACE'],
  ['Permission denied', 'EXOPOOL_PERMISSION'],
  ['No such file or directory', 'EXOPOOL_NOT_FOUND'],
  ['Cannot assign requested address', 'EXOPOOL_CONFIG'],
];

function endError(complaint: string, status: number | null, signal: NodeJS.Signals | null): ExopoolError {
  const last = complaint.trim().split('\n').at(-1) ?? '';
  const code = complaints.find(([text]) => complaint.includes(text))?.[1] ?? 'EXOPOOL_IO';
  const how = signal === null ? `exit status ${status ?? 'unknown'}` : `signal ${signal}`;
  return new ExopoolError(
    code,
    `the block device's process ended with ${how}${last === '' ? '' : `: ${last}`}`,
  );
}
