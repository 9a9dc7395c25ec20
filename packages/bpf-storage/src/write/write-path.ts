/**
 * What happens to a write: room is made for it, the log takes it, the memtable gets it, caches forget the key.
 *
 *   put -> [ many tables? slow down ] -> [ memtable full? freeze ] -> log -> memtable -> caches -> acknowledged
 *
 * A memtable has logs of its own. To freeze it, its log is sealed, and both are replaced in one turn; once its
 * content is in a durable table, logs below the number given then may go.
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

/** A writer that waits for its time looks this often whether it still must: compaction may be done, or the store closed. */
const lookAgainMs = 50;
/** What a timer cannot tell from nothing: small writes owe it together, or each would wait for a whole one. */
const waitMsMin = 1;

export interface WritePathOptions {
  readonly memtableBytes: number;
  /** There are logs of a process before this one. */
  readonly hasOldLogs: boolean;
  /** Called in the turn in which `keys` get other values; resolves once no cache can return the old ones. */
  written(keys: readonly RowKey[]): Promise<void>;
  /** See `Flusher.makeRoom`. */
  makeRoom(): Promise<void>;
  /** Tables now. */
  tables(): number;
}

/** A memtable on its way into a table. */
export interface Frozen {
  readonly memtable: Memtable;
  /** Once it is in a table, the first log that counts. */
  readonly log: number;
}

export class WritePath {
  readonly #pacer = new Pacer();
  readonly #slowed = new Mutex();
  /** What kept the log from taking writes when the memtable was frozen. */
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
   * @param mayGoOn throws when the store was closed while room was made.
   * @throws ExopoolError of the log or the flush: the write was not done.
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

  /** What keeps the log from taking writes. */
  get failure(): ExopoolError | undefined {
    return this.log.failure;
  }

  /** True when there is nothing to flush. */
  get isIdle(): boolean {
    const hasWrites = this.memtables.entries > 0 || this.log.waitingBytes > 0;
    return !hasWrites && !this.#hasOldLogs && this.log.failure === undefined;
  }

  /** Freezes the memtable after the writes of now; later ones go to another. */
  freeze(): Promise<Frozen> {
    return this.log.seal((log) => {
      this.#failureBefore = this.log.failure;
      return { memtable: this.memtables.freeze(), log };
    });
  }

  /** What was frozen is in a durable table. */
  dropFrozen(): void {
    this.#hasOldLogs = false;
    this.memtables.dropFrozen();
    this.log.recovered(this.#failureBefore);
  }

  /** What was frozen is in no table: it takes writes again. Does nothing after `dropFrozen()`. */
  thaw(): void {
    this.memtables.thaw();
  }

  /** One writer at a time, in the order in which they came, so that one alone looks again. */
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
