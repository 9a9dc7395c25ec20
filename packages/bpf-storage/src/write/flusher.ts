/**
 * Flushes memtables to tables, and puts loaded tables in place. It does one after the other, because the order of the
 * tables is their age.
 *
 *   writers ->  active memtable  --full: freeze-->  frozen one  --in the background-->  the newest table
 *
 * Writers go on as soon as the memtable is frozen. They wait only if they fill the next memtable before the flush ends.
 * After a failed flush, writers that need room wait for the next flush and get its error. So memory stays within twice
 * the limit, and a full disk shows.
 */
import type { Compactor } from '../compaction/compactor.js';
import { Mutex } from '../base/mutex.js';
import type { OpenTable } from '../tables/open-table.js';
import type { TableChange, TableSet } from '../tables/table-set.js';
import type { WritePath } from './write-path.js';
import { stopTables } from '../compaction/write-pressure.js';

/** Flushes the memtable, in the background or when asked. */
export class Flusher {
  readonly #turns = new Mutex();
  /** Resolves when a writer may proceed. */
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

  /** Flushes everything written so far. @throws ExopoolError; nothing is lost, and the next flush tries again. */
  flush(): Promise<void> {
    return this.#turns.run(() => this.#flush(() => undefined));
  }

  /** Resolves once there may be room for writes again. @throws ExopoolError as {@link flush}. */
  makeRoom(): Promise<void> {
    // All waiting writers share one flush; otherwise every flush but the first would write a single entry.
    this.#makingRoom ??= this.#flushAside().finally(() => {
      this.#makingRoom = undefined;
    });
    return this.#makingRoom;
  }

  /**
   * Adds the table that `make` returns: newer than everything written so far, older than later writes.
   * @param mayGoOn throws to stop. It is called first, because the store may have been closed while this waited for its
   * turn, and may be in use by another process.
   * @throws ExopoolError, and whatever `mayGoOn` and `make` throw.
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

  /** Resolves when no flush and no load is in progress. */
  settled(): Promise<void> {
    return this.#turns.run(() => Promise.resolve());
  }

  #flushAside(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#turns.run(() => this.#flush(resolve)).then(resolve, reject);
    });
  }

  /** @param onRoom called once a new memtable takes writes; not called if the flush must succeed first. */
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

  /** Adds a table, and starts compaction. */
  async #add(change: TableChange): Promise<void> {
    await this.tables.change(change);
    // A failure in the background is counted; a caller that waits for compaction gets it as an error.
    this.compactor.work().catch(() => undefined);
  }
}
