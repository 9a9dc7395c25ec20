/**
 * Puts memtables into tables, and loaded tables into their place: one after the other, as their order is their age.
 *
 *   writers ->  active memtable  --full: freeze-->  frozen one  --in the background-->  the newest table
 *
 * Writers go on as soon as the memtable is frozen, and wait only when they fill the next one first. After a flush that
 * failed there is no background: who needs room waits for the next flush and is told how it went, so that memory
 * stays within twice the limit, and a full disk shows.
 */
import type { Compactor } from '../compaction/compactor.js';
import { Mutex } from '../base/mutex.js';
import type { OpenTable } from '../tables/open-table.js';
import type { TableChange, TableSet } from '../tables/table-set.js';
import type { WritePath } from './write-path.js';
import { stopTables } from '../compaction/write-pressure.js';

export class Flusher {
  readonly #turns = new Mutex();
  /** What writers wait for who need room. */
  #makingRoom: Promise<void> | undefined;
  #hasFailed = false;
  #flushes = 0;

  constructor(
    private readonly writes: WritePath,
    private readonly tables: TableSet,
    private readonly compactor: Compactor,
  ) {}

  get flushes(): number {
    return this.#flushes;
  }

  /** Puts what was written so far into tables. @throws ExopoolError; nothing is lost, and the next flush tries again. */
  flush(): Promise<void> {
    return this.#turns.run(() => this.#flush(() => undefined));
  }

  /** Resolves once there may be room for writes again. @throws ExopoolError as {@link flush}. */
  makeRoom(): Promise<void> {
    // One flush for all who wait: with one each, every flush but the first would write a single entry.
    this.#makingRoom ??= this.#flushAside().finally(() => {
      this.#makingRoom = undefined;
    });
    return this.#makingRoom;
  }

  /**
   * Puts a table that `make` makes above everything written so far, and below what is written while it does.
   * @param mayGoOn throws to stop. Asked before anything is done: a store that was closed while this waited for its
   * turn has no tables any more, and may be another process's.
   * @throws what `mayGoOn` and `make` throw, and ExopoolError.
   */
  async place(
    mayGoOn: () => void,
    make: () => Promise<OpenTable | undefined>,
    hooks: Pick<TableChange, 'beforeSwitch' | 'onSwitch'>,
  ): Promise<OpenTable | undefined> {
    return this.#turns.run(async () => {
      mayGoOn();
      await this.#flush(() => undefined);
      await this.#waitForFewerTables();
      mayGoOn();
      const added = await make();
      await this.#add({ added, ...hooks });
      return added;
    });
  }

  /** Resolves when no flush and no load is under way. */
  settled(): Promise<void> {
    return this.#turns.run(() => Promise.resolve());
  }

  #flushAside(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#turns.run(() => this.#flush(resolve)).then(resolve, reject);
    });
  }

  /** @param onRoom called once there is a memtable that takes writes, unless the flush must succeed first. */
  async #flush(onRoom: () => void): Promise<void> {
    if (this.writes.isIdle) return;
    await this.#waitForFewerTables();
    const mustSucceed = this.#hasFailed || this.writes.failure !== undefined;
    const { memtable, log } = await this.writes.freeze();
    if (!mustSucceed) onRoom();
    try {
      const dropTombstones = this.tables.tables.length === 0;
      const added = await this.tables.make({ memtables: [memtable] }, { dropTombstones });
      await this.#add({ added, log, onSwitch: () => this.writes.dropFrozen() });
      this.#hasFailed = false;
    } catch (error) {
      this.#hasFailed = true;
      throw error;
    } finally {
      this.writes.thaw();
    }
    this.#flushes += 1;
  }

  async #waitForFewerTables(): Promise<void> {
    while (this.tables.tables.length >= stopTables) await this.compactor.progress();
  }

  /** Adds a table, and sets compaction going. */
  async #add(change: TableChange): Promise<void> {
    await this.tables.change(change);
    // What fails in the background is counted, and fails again for whoever has to wait for it.
    this.compactor.work().catch(() => undefined);
  }
}
