/**
 * What happens to a write: room is made for it, the log takes it, the memtable gets it, caches forget the key.
 *
 *   put -> [ memtable full? flush ] -> log (see commit-log.ts) -> memtable -> caches -> acknowledged
 *
 * A memtable has logs of its own. To freeze it, its log is sealed, and both are replaced in one turn; once its
 * content is in a durable table, logs below the number given then may go.
 */
import type { ExopoolError } from '@exopool/shared';
import type { Entry } from './cursor.js';
import type { CommitLog } from './commit-log.js';
import { encodeFrame } from './log-format.js';
import { memtableEntryOverheadBytes, type Memtable, type Memtables } from './memtable.js';
import type { RowKey } from './row-key.js';
import type { Write } from './write.js';

export interface WritePathOptions {
  readonly memtableBytes: number;
  /** Called in the turn in which `keys` get other values; resolves once no cache can return the old ones. */
  written(keys: readonly RowKey[]): Promise<void>;
  /** Puts the memtable into a table. */
  flush(): Promise<void>;
}

/** A memtable on its way into a table. */
export interface Frozen {
  readonly memtable: Memtable;
  /** Once it is in a table, the first log that counts. */
  readonly log: number;
}

export class WritePath {
  /** The flush that writers wait for. */
  #makingRoom: Promise<void> | undefined;
  /** What kept the log from taking writes when the memtable was frozen. */
  #failureBefore: ExopoolError | undefined;
  #writes = 0;

  constructor(
    readonly memtables: Memtables,
    private readonly log: CommitLog,
    private readonly options: WritePathOptions,
  ) {}

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
    while (this.#isFull) {
      // One flush for all who wait: with one each, every flush but the first would write a single entry.
      this.#makingRoom ??= this.options.flush().finally(() => {
        this.#makingRoom = undefined;
      });
      await this.#makingRoom;
      mayGoOn();
    }
    const entries = writes.map(({ key, value }): Entry => ({ key: key.bytes, value }));
    const frame = encodeFrame(entries);
    const apply = (): Promise<void> => {
      for (const { key, value } of entries) this.memtables.active.set(key, value);
      this.#writes += writes.length;
      return this.options.written(writes.map(({ key }) => key));
    };
    const memoryBytes = frame.length + writes.length * memtableEntryOverheadBytes;
    await this.log.commit({ frame, memoryBytes, sync, apply });
  }

  /** True when there is nothing to flush. */
  get isIdle(): boolean {
    return this.memtables.entries === 0 && this.log.waitingBytes === 0 && this.log.failure === undefined;
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
    this.memtables.dropFrozen();
    this.log.recovered(this.#failureBefore);
  }

  /** What was frozen is in no table: it takes writes again. Does nothing after `dropFrozen()`. */
  thaw(): void {
    this.memtables.thaw();
  }

  get #isFull(): boolean {
    const bytes = this.memtables.active.bytes + this.log.waitingBytes;
    return bytes >= this.options.memtableBytes || this.log.failure !== undefined;
  }
}
