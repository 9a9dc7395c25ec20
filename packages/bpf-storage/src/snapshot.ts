/**
 * A store as it was at one moment, to be read while writes go on. It goes past the caches, which know the present only,
 * and keeps the disk space of what was overwritten since: close it.
 */
import { ExopoolError } from '@exopool/shared';
import type { EngineName } from './engine.js';
import { toRowKey, type Bytes } from './row-key.js';
import { checkRange, type KeyRangeOptions, type RangeOptions } from './store-options.js';
import { walk, type View } from './view.js';

export class Snapshot {
  #isOpen = true;

  /** @internal */
  constructor(
    private readonly view: View,
    private readonly store: { requireOpen(): void; engine(): EngineName },
  ) {}

  /** As `Store.get`. */
  async get(key: Bytes): Promise<Buffer | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  /** As `Store.getMany`. */
  async getMany(keys: readonly Bytes[]): Promise<(Buffer | undefined)[]> {
    this.#requireOpen();
    return this.view.getMany(
      keys.map((key) => toRowKey(key).bytes),
      this.store.engine(),
    );
  }

  /** As `Store.range`. */
  range(options: KeyRangeOptions): AsyncIterable<Buffer>;
  range(options?: RangeOptions): AsyncIterable<[Buffer, Buffer]>;
  range(options: RangeOptions | KeyRangeOptions = {}): AsyncIterable<[Buffer, Buffer] | Buffer> {
    this.#requireOpen();
    const query = checkRange(options);
    const open = (): View => {
      this.#requireOpen();
      return this.view.fork();
    };
    return walk(open, query, () => this.#requireOpen());
  }

  /** Idempotent. Reads under way end with `EXOPOOL_CLOSED`. */
  close(): void {
    this.#isOpen = false;
    this.view.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #requireOpen(): void {
    this.store.requireOpen();
    if (!this.#isOpen) throw new ExopoolError('EXOPOOL_CLOSED', 'the snapshot is closed; take another');
  }
}
