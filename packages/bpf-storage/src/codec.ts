/**
 * Codecs: they turn keys and values of a program's own types into the bytes that a store keeps, and back.
 *
 *   name     takes             returns    order of keys
 *   buffer   bytes or text     a Buffer   bytewise
 *   utf8     text              text       bytewise, which is the order of code points
 *   json     any JSON value    the value  bytewise by the JSON text: 10 comes before 9, "z" before ["a"]
 *
 * A store does not remember its encodings, so it may hold bytes that its codec cannot decode. The read that meets them
 * throws `EXOPOOL_ENCODING`. A write throws `EXOPOOL_INVALID` if the value would not come back as it was given: unpaired
 * surrogates, which UTF-8 cannot represent, and for JSON `undefined`, functions and symbols.
 */
import { isUtf8 } from 'node:buffer';
import { ExopoolError } from '@exopool/shared';
import type { Bytes } from './format/row-key.js';

/**
 * An encoding of your own for keys or values.
 *
 * Keys are ordered by their encoded bytes, and equal keys must have equal bytes. What `encode` throws becomes the cause of
 * an `EXOPOOL_INVALID`, what `decode` throws that of an `EXOPOOL_ENCODING`.
 */
export interface Codec<T> {
  /** The name in error messages. */
  readonly name: string;
  /** Returns the bytes of `value`; a string stands for its UTF-8 bytes. */
  encode(value: T): Bytes;
  /** Returns the value that `bytes` stand for. @param bytes a copy; the codec may keep it. */
  decode(bytes: Buffer): T;
}

/** A named encoding, or one of your own. */
export type Encoding = 'buffer' | 'utf8' | 'json' | Codec<unknown>;

/** The type that a store takes when it is opened with the encoding `E`. */
export type Decoded<E> = E extends 'buffer'
  ? Bytes
  : E extends 'utf8'
    ? string
    : E extends 'json'
      ? unknown
      : E extends Codec<infer T>
        ? T
        : never;

/** The type that a store of `T` returns: `Buffer` if it takes bytes or text, else `T` itself. */
export type Found<T> = 0 extends 1 & T ? T : [T] extends [Bytes] ? ([Bytes] extends [T] ? Buffer : T) : T;

/** The encodings that can stand for `T`. */
export type EncodingOf<T> =
  Codec<T> | ([Found<T>] extends [Buffer] ? 'buffer' : [T] extends [string] ? 'utf8' | 'json' : 'json');

/** A codec as the store uses it. `decode` does not keep the bytes, and throws if they are not valid. */
export interface InnerCodec extends Codec<unknown> {
  /** The common prefix of the encodings of all keys that start with `key`. */
  prefix(key: unknown): Bytes;
}

export const bufferCodec: InnerCodec = {
  name: 'buffer',
  encode: (value) => value as Bytes,
  decode: (bytes) => Buffer.from(bytes),
  prefix: (key) => key as Bytes,
};

const utf8Codec: InnerCodec = {
  name: 'utf8',
  encode: encodeText,
  decode: decodeText,
  prefix: encodeText,
};

const jsonCodec: InnerCodec = {
  name: 'json',
  encode: encodeJson,
  decode: (bytes) => JSON.parse(decodeText(bytes)) as unknown,
  prefix(key) {
    if (typeof key !== 'string') throw new TypeError('the prefix of JSON keys must be a string');
    // Without the closing quote. Each character is escaped by itself, so beginnings stay beginnings.
    return encodeJson(key).slice(0, -1);
  },
};

const named: Readonly<Record<string, InnerCodec>> = {
  buffer: bufferCodec,
  utf8: utf8Codec,
  json: jsonCodec,
};

/** @param option the name for the message. @throws ExopoolError `EXOPOOL_INVALID` unless `encoding` is an encoding. */
export function codecOf(option: string, encoding: unknown): InnerCodec {
  if (encoding === undefined) return bufferCodec;
  if (typeof encoding === 'string' && Object.hasOwn(named, encoding)) return named[encoding]!;
  if (isCodec(encoding)) {
    return {
      name: encoding.name,
      encode: (value) => encoding.encode(value),
      decode: (bytes) => encoding.decode(Buffer.from(bytes)),
      prefix: (key) => encoding.encode(key),
    };
  }
  const names = Object.keys(named).join(', ');
  const message = `${option} must be one of ${names}, or an object with name, encode and decode`;
  throw new ExopoolError('EXOPOOL_INVALID', message);
}

function isCodec(encoding: unknown): encoding is Codec<unknown> {
  if (typeof encoding !== 'object' || encoding === null) return false;
  const { name, encode, decode } = encoding as Record<string, unknown>;
  return typeof name === 'string' && typeof encode === 'function' && typeof decode === 'function';
}

function encodeText(text: unknown): string {
  if (typeof text !== 'string') throw new TypeError(`it must be a string, not ${kindOf(text)}`);
  if (!isWellFormed(text)) throw new TypeError('it has an unpaired surrogate, which UTF-8 cannot represent');
  return text;
}

/** Node has the method from 20 on, TypeScript's library of ES2023 does not. */
function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed();
}

function decodeText(bytes: Buffer): string {
  if (!isUtf8(bytes)) throw new TypeError('the bytes are not UTF-8');
  return bytes.toString('utf8');
}

/** An unpaired surrogate as `JSON.stringify` writes it, unless the backslash before it is a character of the text. */
const halfOfPair = /(?<!\\)(?:\\\\)*\\ud/;

function encodeJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON cannot represent ${kindOf(value)}`);
  if (text.includes('\\ud') && halfOfPair.test(text)) {
    throw new TypeError('it has an unpaired surrogate, which UTF-8 cannot represent');
  }
  return text;
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
