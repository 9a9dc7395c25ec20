/**
 * A store as it was at one moment, to be read while writes go on. It goes past the caches, which know the present only,
 * and keeps the disk space of what was overwritten since: close it.
 */
import { ExopoolError } from '@exopool/shared';
import type { Found } from './codec.js';
import type { EngineName } from './tables/engine.js';
import type { EntryCodec } from './entry-codec.js';
import { toRowKey, type Bytes } from './format/row-key.js';
import { checkRange, requireArray, type KeyRangeOptions, type RangeOptions } from './store-options.js';
import { walk, type View } from './view.js';

export class Snapshot<Key = Bytes, Value = Bytes> {
  #isOpen = true;

  /** @internal */
  constructor(
    private readonly view: View,
    private readonly codec: EntryCodec<Key, Value>,
    private readonly store: { requireOpen(): void; engine(): EngineName },
  ) {}

  /** As `Store.get`. */
  async get(key: Key): Promise<Found<Value> | undefined> {
    const [value] = await this.getMany([key]);
    return value;
  }

  /** As `Store.getMany`. */
  async getMany(keys: readonly Key[]): Promise<(Found<Value> | undefined)[]> {
    this.#requireOpen();
    requireArray(keys, 'keys');
    const encoded = this.codec.encodeKeys(keys);
    const rows = encoded.map((key) => toRowKey(key).bytes);
    return this.codec.decodeMany(encoded, await this.view.getMany(rows, this.store.engine()));
  }

  /** As `Store.range`. */
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
