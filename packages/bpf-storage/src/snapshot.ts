/** Snapshots: a store as it was at one moment. */
import { ExopoolError } from '@exopool/shared';
import type { Found } from './codec.js';
import type { EngineName } from './tables/engine.js';
import type { EntryCodec } from './entry-codec.js';
import { toRowKey, type Bytes } from './format/row-key.js';
import { checkRange, requireArray, type KeyRangeOptions, type RangeOptions } from './store-options.js';
import { walk, type View } from './view.js';

/**
 * A store as it was at one moment. {@link Store.snapshot} takes it; writes to the store do not change it.
 *
 * Its reads do not use the caches, because these know only the present. An open snapshot keeps the disk space and the
 * memory of values that were overwritten since, so close it.
 *
 * @example
 * ```js
 * import { Store } from '@exopool/bpf-storage';
 *
 * const store = await Store.open('fruit');
 * await store.put('cherry', 'dark red');
 * const before = store.snapshot();
 * await store.del('cherry');
 * console.log(String(await before.get('cherry'))); // dark red
 * before.close();
 * await store.close();
 * ```
 */
export class Snapshot<Key = Bytes, Value = Bytes> {
  #isOpen = true;

  /** @internal */
  constructor(
    private readonly view: View,
    private readonly codec: EntryCodec<Key, Value>,
    private readonly store: { requireOpen(): void; engine(): EngineName },
  ) {}

  /** As {@link Store.get}. @throws ExopoolError `EXOPOOL_CLOSED` also when the snapshot is closed. */
  async get(key: Key): Promise<Found<Value> | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  /** As {@link Store.getMany}. */
  async getMany(keys: readonly Key[]): Promise<(Found<Value> | undefined)[]> {
    this.#requireOpen();
    requireArray(keys, 'keys');
    const encoded = this.codec.encodeKeys(keys);
    const rows = encoded.map((key) => toRowKey(key).bytes);
    return this.codec.decodeMany(encoded, await this.view.getMany(rows, this.store.engine()));
  }

  /** As {@link Store.range}. */
  range(options: KeyRangeOptions<Key>): AsyncIterable<Found<Key>>;
  range(options?: RangeOptions<Key>): AsyncIterable<[Found<Key>, Found<Value>]>;
  range(
    options: RangeOptions<Key> | KeyRangeOptions<Key> = {},
  ): AsyncIterable<[Found<Key>, Found<Value>] | Found<Key>> {
    this.#requireOpen();
    const query = checkRange(this.codec.encodeRange(options));
    const open = (): View => {
      this.#requireOpen();
      return this.view.fork();
    };
    return walk(open, query, () => this.#requireOpen(), this.codec.takerOf(query));
  }

  /** Gives the disk space and memory back. Idempotent. Reads in flight end with `EXOPOOL_CLOSED`. */
  close(): void {
    this.#isOpen = false;
    this.view.close();
  }

  /** As {@link Snapshot.close}, for `using`. */
  [Symbol.dispose](): void {
    this.close();
  }

  #requireOpen(): void {
    this.store.requireOpen();
    if (!this.#isOpen) throw new ExopoolError('EXOPOOL_CLOSED', 'the snapshot is closed; take another');
  }
}
