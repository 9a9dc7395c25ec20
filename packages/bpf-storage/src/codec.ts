/**
 * Codecs: how keys and values of a program's own types become the bytes that a store keeps, and come back.
 *
 *   name     takes and gives            order of keys
 *   buffer   bytes or text; a Buffer    bytewise
 *   utf8     text                       bytewise, which is by code point
 *   json     what JSON can say          bytewise by the JSON text: 10 comes before 9, "z" before ["a"]
 *
 * A store does not remember its encodings, so bytes that another program wrote may not be in the one it is opened with.
 * That is found when they are read, and `EXOPOOL_ENCODING`. What would not come back as it was given is refused when it
 * is written (`EXOPOOL_INVALID`): halves of surrogate pairs, which UTF-8 cannot say, and in JSON `undefined`,
 * functions and symbols.
 */
import { isUtf8 } from 'node:buffer';
import { ExopoolError } from '@exopool/shared';
import type { Bytes } from './format/row-key.js';

/** An encoding of a program's own. */
export interface Codec<T> {
  /** For error messages. */
  readonly name: string;
  encode(value: T): Bytes;
  /** @param bytes a copy; it may be kept. */
  decode(bytes: Buffer): T;
}

export type Encoding = 'buffer' | 'utf8' | 'json' | Codec<unknown>;

/** What a store that is opened with the encoding `E` takes. */
export type Decoded<E> = E extends 'buffer'
  ? Bytes
  : E extends 'utf8'
    ? string
    : E extends 'json'
      ? unknown
      : E extends Codec<infer T>
        ? T
        : never;

/** What a store of `T` gives back: a `Buffer` where bytes or text are taken, else `T` itself. */
export type Found<T> = 0 extends 1 & T ? T : [T] extends [Bytes] ? ([Bytes] extends [T] ? Buffer : T) : T;

/** The encodings that can stand for `T`. */
export type EncodingOf<T> =
  Codec<T> | ([Found<T>] extends [Buffer] ? 'buffer' : [T] extends [string] ? 'utf8' | 'json' : 'json');

/** A codec as the store uses it. `decode` keeps nothing of the bytes it gets, and throws what is wrong with them. */
export interface InnerCodec extends Codec<unknown> {
  /** The bytes that the encodings of all keys that start with `key` start with. */
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
    if (typeof key !== 'string') throw new TypeError('a prefix of JSON keys is a string, and finds strings');
    // Without the closing quote. Each character is escaped by itself, so beginnings stay beginnings.
    return encodeJson(key).slice(0, -1);
  },
};

const named: Readonly<Record<string, InnerCodec>> = {
  buffer: bufferCodec,
  utf8: utf8Codec,
  json: jsonCodec,
};

/** @throws ExopoolError `EXOPOOL_INVALID` for what is no encoding. `option` names it in the message. */
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
  const message = `${option} is one of ${names}, or an object with name, encode and decode`;
  throw new ExopoolError('EXOPOOL_INVALID', message);
}

function isCodec(encoding: unknown): encoding is Codec<unknown> {
  if (typeof encoding !== 'object' || encoding === null) return false;
  const { name, encode, decode } = encoding as Record<string, unknown>;
  return typeof name === 'string' && typeof encode === 'function' && typeof decode === 'function';
}

function encodeText(text: unknown): string {
  if (typeof text !== 'string') throw new TypeError(`it is a string, not ${kindOf(text)}`);
  if (!isWellFormed(text)) throw new TypeError('it has half of a surrogate pair, which UTF-8 cannot say');
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

/** Half of a surrogate pair, as `JSON.stringify` writes it; not after a backslash that is a character of the text. */
const halfOfPair = /(?<!\\)(?:\\\\)*\\ud/;

function encodeJson(value: unknown): string {
  const text = JSON.stringify(value) as string | undefined;
  if (text === undefined) throw new TypeError(`JSON cannot say ${kindOf(value)}`);
  if (text.includes('\\ud') && halfOfPair.test(text)) {
    throw new TypeError('it has half of a surrogate pair, which UTF-8 cannot say');
  }
  return text;
}

function kindOf(value: unknown): string {
  return value === null ? 'null' : typeof value;
}
