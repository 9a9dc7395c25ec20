/**
 * The two codecs of a store, at its outer edge. Everything behind them works on bytes.
 *
 * A store of bytes has a codec that passes everything through, at no cost: no closure, no copy, no further promise.
 */
import { isUtf8 } from 'node:buffer';
import { ExopoolError } from '@exopool/shared';
import {
  bufferCodec,
  codecOf,
  type Encoding,
  type EncodingOf,
  type Found,
  type InnerCodec,
} from './codec.js';
import type { LoadEntries } from './write/load.js';
import type { Bytes } from './format/row-key.js';
import type { KeyRangeOptions, RangeOptions, RangeQuery } from './store-options.js';
import { keyOf, wholeEntry, type PresentEntry } from './view.js';
import type { BatchOperation } from './write/write.js';

/** Translates between a program's types and bytes. */
export interface EntryCodec<Key, Value> {
  /** All `encode…` throw ExopoolError `EXOPOOL_INVALID` for a value that cannot be encoded. */
  encodeKey(key: Key): Bytes;
  encodeKeys(keys: readonly Key[]): readonly Bytes[];
  encodeOperation(operation: BatchOperation<Key, Value>): BatchOperation;
  encodeRange(range: RangeOptions<Key> | KeyRangeOptions<Key>): RangeOptions | KeyRangeOptions;
  encodeEntries(entries: LoadEntries<Key, Value>): LoadEntries;
  /** All `decode…` throw ExopoolError `EXOPOOL_ENCODING` for bytes that cannot be decoded. */
  decodeValue(key: Bytes, value: Buffer | undefined): Found<Value> | undefined;
  decodeLater(key: Bytes, value: Promise<Buffer | undefined>): Promise<Found<Value> | undefined>;
  decodeMany(keys: readonly Bytes[], values: readonly (Buffer | undefined)[]): (Found<Value> | undefined)[];
  /** Returns what an iteration over `query` yields for each entry. */
  takerOf(query: RangeQuery): (entry: PresentEntry) => [Found<Key>, Found<Value>] | Found<Key>;
}

const bytesOnly: EntryCodec<Bytes, Bytes> = {
  encodeKey: (key) => key,
  encodeKeys: (keys) => keys,
  encodeOperation: (operation) => operation,
  encodeRange: (range) => range,
  encodeEntries: (entries) => entries,
  decodeValue: (_key, value) => value,
  decodeLater: (_key, value) => value,
  decodeMany: (_keys, values) => values as (Buffer | undefined)[],
  takerOf: ({ keysOnly }) => (keysOnly === true ? keyOf : wholeEntry),
};

/** The encodings of a store. The default of both is `buffer`. */
export interface EncodingOptions {
  readonly keyEncoding?: Encoding;
  readonly valueEncoding?: Encoding;
}

/** The option `Name` of a store of `T`. It is optional for bytes. */
export type EncodingChoice<Name extends string, T> = [Found<T>] extends [Buffer]
  ? { readonly [Option in Name]?: EncodingOf<T> }
  : { readonly [Option in Name]: EncodingOf<T> };

/** @throws ExopoolError `EXOPOOL_INVALID`. */
export function entryCodecOf<Key, Value>(options: EncodingOptions): EntryCodec<Key, Value> {
  const keys = codecOf('keyEncoding', options.keyEncoding);
  const values = codecOf('valueEncoding', options.valueEncoding);
  const isBytesOnly = keys === bufferCodec && values === bufferCodec;
  return (isBytesOnly ? bytesOnly : new TranslatingCodec(keys, values)) as EntryCodec<Key, Value>;
}

class TranslatingCodec implements EntryCodec<unknown, unknown> {
  constructor(
    private readonly keys: InnerCodec,
    private readonly values: InnerCodec,
  ) {}

  encodeKey(key: unknown): Bytes {
    return encoded('a key', this.keys, key);
  }

  encodeKeys(keys: readonly unknown[]): Bytes[] {
    return keys.map((key) => this.encodeKey(key));
  }

  encodeOperation(operation: BatchOperation<unknown, unknown>): BatchOperation {
    // `toWrite` refuses anything that is not an operation.
    if (!isObject(operation)) return operation as never;
    const { type, key } = operation;
    if (type !== 'put') return { type, key: this.encodeKey(key) };
    return { type, key: this.encodeKey(key), value: this.#encodeValue(operation.value) };
  }

  encodeRange(range: RangeOptions<unknown> | KeyRangeOptions<unknown>): RangeOptions {
    const encodedRange: Record<string, unknown> = { ...range };
    for (const name of ['gt', 'gte', 'lt', 'lte'] as const) {
      if (range[name] !== undefined) encodedRange[name] = encoded(name, this.keys, range[name]);
    }
    if (range.prefix !== undefined) {
      encodedRange['prefix'] = attempt('prefix', this.keys, () => this.keys.prefix(range.prefix));
    }
    return encodedRange;
  }

  encodeEntries(entries: LoadEntries<unknown, unknown>): LoadEntries {
    return Symbol.iterator in entries ? this.#encodeEach(entries) : this.#encodeEachLater(entries);
  }

  decodeValue(key: Bytes, value: Buffer | undefined): unknown {
    if (value === undefined || this.values === bufferCodec) return value;
    return decoded('value', this.values, value, key);
  }

  decodeLater(key: Bytes, value: Promise<Buffer | undefined>): Promise<unknown> {
    return this.values === bufferCodec ? value : value.then((bytes) => this.decodeValue(key, bytes));
  }

  decodeMany(keys: readonly Bytes[], values: readonly (Buffer | undefined)[]): unknown[] {
    return values.map((value, index) => this.decodeValue(keys[index]!, value));
  }

  takerOf({ keysOnly }: RangeQuery): (entry: PresentEntry) => unknown {
    if (keysOnly === true) return ([key]) => decoded('key', this.keys, key, key);
    return ([key, value]) => [decoded('key', this.keys, key, key), decoded('value', this.values, value, key)];
  }

  *#encodeEach(entries: Iterable<unknown>): Generator<readonly [Bytes, Bytes]> {
    for (const pair of entries) yield this.#encodePair(pair);
  }

  async *#encodeEachLater(entries: AsyncIterable<unknown>): AsyncGenerator<readonly [Bytes, Bytes]> {
    for await (const pair of entries) yield this.#encodePair(pair);
  }

  #encodePair(pair: unknown): readonly [Bytes, Bytes] {
    // `gatherEntries` refuses anything that is not a pair.
    if (!Array.isArray(pair)) return pair as never;
    return [this.encodeKey(pair[0]), this.#encodeValue(pair[1])];
  }

  #encodeValue(value: unknown): Bytes {
    return encoded('a value', this.values, value);
  }
}

function isObject(given: unknown): boolean {
  return typeof given === 'object' && given !== null;
}

function encoded(what: string, codec: InnerCodec, value: unknown): Bytes {
  return attempt(what, codec, () => codec.encode(value));
}

function attempt(what: string, codec: InnerCodec, encode: () => Bytes): Bytes {
  try {
    return encode();
  } catch (cause) {
    const message = `${what} cannot be encoded as ${codec.name}: ${reasonOf(cause)}`;
    throw new ExopoolError('EXOPOOL_INVALID', message, { cause });
  }
}

function decoded(what: 'key' | 'value', codec: InnerCodec, bytes: Buffer, key: Bytes): unknown {
  try {
    return codec.decode(bytes);
  } catch (cause) {
    const which = what === 'key' ? `the key ${quoted(key)}` : `the value of the key ${quoted(key)}`;
    const message = `${which} is not ${codec.name}: ${reasonOf(cause)}; open the store with the encoding it was written in`;
    throw new ExopoolError('EXOPOOL_ENCODING', message, { cause });
  }
}

/** Bytes of a key in an error message: enough to find the key, short enough for a line. */
const quotedBytesMax = 64;

function quoted(key: Bytes): string {
  const bytes = Buffer.from(key as Uint8Array);
  const isCut = bytes.length > quotedBytesMax;
  const text = isUtf8(bytes)
    ? JSON.stringify(bytes.toString('utf8', 0, quotedBytesMax))
    : `0x${bytes.toString('hex', 0, quotedBytesMax)}`;
  return isCut ? `${text}…` : text;
}

function reasonOf(cause: unknown): string {
  return cause instanceof Error ? cause.message : String(cause);
}
