/**
 * The way of a write: make room, append to the log, apply to the memtable, remove the key from the caches.
 *
 *   put -> [ many tables? slow down ] -> [ memtable full? freeze ] -> log -> memtable -> caches -> acknowledged
 *
 * Each memtable has its own logs. Freezing a memtable seals its log and replaces both in one turn. Once the memtable is in
 * a durable table, the logs below the number that freezing returned are removed.
 */
import { setTimeout } from 'node:timers/promises';
import type { Memtable } from '@exopool/native/internal';
import type { ExopoolError } from '@exopool/shared';
import { tombstone, type Entry } from '../format/entry.js';
import type { CommitLog } from '../log/commit-log.js';
import { encodeFrame, framePayload } from '../log/log-format.js';
import { memtableEntryOverheadBytes, type Memtables } from './memtable.js';
import { Mutex } from '../base/mutex.js';
import { Pacer } from './pacer.js';
import type { RowKey } from '../format/row-key.js';
import type { Write } from './write.js';
import { writeRate } from '../compaction/write-pressure.js';

/** How often a slowed writer checks whether it must still wait: compaction may be done, or the store closed. */
const lookAgainMs = 50;
/** Shorter waits are not worth a timer: small writes share one, instead of one each. */
const waitMsMin = 1;

export interface WritePathOptions {
  readonly memtableBytes: number;
  /** Whether an earlier process left logs. */
  readonly hasOldLogs: boolean;
  /** Called in the turn in which `keys` change. Resolves once no cache can return an old value. */
  written(keys: readonly RowKey[]): Promise<void>;
  /** See `Flusher.makeRoom`. */
  makeRoom(): Promise<void>;
  /** The number of tables now. */
  tables(): number;
}

/** A memtable that is being flushed. */
export interface Frozen {
  readonly memtable: Memtable;
  /** The first log that still counts once the memtable is in a table. */
  readonly log: number;
}

/** Takes the writes of a store, one group after the other. */
export class WritePath {
  readonly #pacer = new Pacer();
  readonly #slowed = new Mutex();
  /** The failure of the log at the time when the memtable was frozen. */
  #failureBefore: ExopoolError | undefined;
  #writes = 0;
  #hasOldLogs: boolean;

  constructor(
    readonly memtables: Memtables,
    private readonly log: CommitLog,
    private readonly options: WritePathOptions,
  ) {
    this.#hasOldLogs = options.hasOldLogs;
  }

  /** Keys put or deleted. */
  get writes(): number {
    return this.#writes;
  }

  /**
   * @param mayGoOn throws if the store was closed meanwhile.
   * @throws ExopoolError of the log or the flush; the write was not done.
   */
  async write(writes: readonly Write[], sync: boolean, mayGoOn: () => void): Promise<void> {
    if (writes.length === 0) return;
    const entries = writes.map(({ key, value }): Entry => ({ key: key.bytes, value }));
    if (writeRate(this.options.tables()) !== Infinity) await this.#slowDown(bytesOf(entries), mayGoOn);
    while (this.#isFull) {
      await this.options.makeRoom();
      mayGoOn();
    }
    const frame = encodeFrame(entries);
    const apply = (): Promise<void> => {
      this.memtables.apply(framePayload(frame), writes.length);
      this.#writes += writes.length;
      return this.options.written(writes.map(({ key }) => key));
    };
    const memoryBytes = frame.length + writes.length * memtableEntryOverheadBytes;
    await this.log.commit({ frame, memoryBytes, sync, apply });
  }

  /** The error that keeps the log from taking writes. */
  get failure(): ExopoolError | undefined {
    return this.log.failure;
  }

  /** True when there is nothing to flush. */
  get isIdle(): boolean {
    const hasWrites = this.memtables.entries > 0 || this.log.waitingBytes > 0;
    return !hasWrites && !this.#hasOldLogs && this.log.failure === undefined;
  }

  /** Freezes the memtable after the writes in flight; later writes go to a new one. */
  freeze(): Promise<Frozen> {
    return this.log.seal((log) => {
      this.#failureBefore = this.log.failure;
      return { memtable: this.memtables.freeze(), log };
    });
  }

  /** To be called when the frozen memtable is in a durable table. */
  dropFrozen(): void {
    this.#hasOldLogs = false;
    this.memtables.dropFrozen();
    this.log.recovered(this.#failureBefore);
  }

  /** To be called when the flush failed: the memtable takes writes again. Does nothing after `dropFrozen()`. */
  thaw(): void {
    this.memtables.thaw();
  }

  /** One writer waits at a time, in order of arrival, so that only one has a timer. */
  async #slowDown(bytes: number, mayGoOn: () => void): Promise<void> {
    await this.#slowed.run(async () => {
      mayGoOn();
      for (;;) {
        const waitMs = this.#pacer.waitMs(writeRate(this.options.tables()));
        if (waitMs < waitMsMin) break;
        await setTimeout(Math.min(waitMs, lookAgainMs));
        mayGoOn();
      }
      this.#pacer.take(bytes);
    });
  }

  get #isFull(): boolean {
    const bytes = this.memtables.activeBytes + this.log.waitingBytes;
    return bytes >= this.options.memtableBytes || this.log.failure !== undefined;
  }
}

function bytesOf(entries: readonly Entry[]): number {
  return entries.reduce(
    (sum, { key, value }) => sum + key.length + (value === tombstone ? 0 : value.length),
    0,
  );
}
