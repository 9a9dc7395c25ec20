/**
 * Parses a stream of bytes into requests: arrays of bulk strings, or a line of words (an inline command).
 *
 *   *2\r\n $3\r\n GET\r\n $1\r\n k\r\n          GET k\r\n
 *
 * A state machine: a request may come in any pieces, and no byte is parsed twice. Arguments are views of the received
 * bytes, but a long argument that comes in pieces is gathered in a buffer of its length, up to the limit. It rejects
 * the same requests as Redis, with the same messages.
 */
import { splitInline } from './inline-words.js';

/** Redis's limit for one line. */
export const inlineBytesMax = 64 * 1024;
/** Longest value: about 128 parts in leased memory. */
export const valueBytesMax = 8 * 1024 * 1024;
/** Arguments of one request: the limit of Redis up to version 6. */
export const argumentsMax = 1024 * 1024;
/** Bytes of one request, which the server must buffer for a client: an MSET of eight of the longest values. */
export const requestBytesMax = 64 * 1024 * 1024;
/** Limits of a request before AUTH, as in Redis. */
const strangerArgumentsMax = 10;
const strangerBytesMax = 16 * 1024;
/** Overhead of an argument, also of an empty one. */
const argumentBytes = 128;
/** An argument of at least this length that comes in pieces is gathered in its own buffer. */
const gatheredBytesMin = 32 * 1024;

const [star, dollar, lineFeed, carriageReturn, zero] = [0x2a, 0x24, 0x0a, 0x0d, 0x30];
/** A length of up to this many digits is parsed without making a string. The length of every value has fewer. */
const shortDigitsMax = 9;
const nothing = Buffer.alloc(0);

/** The rest of the stream cannot be parsed: the client gets the message, and the connection ends. */
export class ProtocolError extends Error {}

export class RequestParser {
  /** The client has not authenticated, so lower limits apply. */
  isStranger = false;
  #input: Buffer = nothing;
  #at = 0;
  #arguments: Buffer[] = [];
  /** State of the request that is being read. */
  #missingArguments = 0;
  #bulkBytes = -1;
  #requestBytes = 0;
  #gathered: Buffer | undefined;
  #gatheredBytes = 0;

  /** Bytes held for an incomplete request. A long value counts in full once its length is known. */
  get heldBytes(): number {
    const unread = this.#input.length - this.#at;
    if (this.#missingArguments === 0) return unread;
    return unread + this.#requestBytes + this.#arguments.length * argumentBytes;
  }

  push(chunk: Buffer): void {
    const rest = this.#input.subarray(this.#at);
    this.#input = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    this.#at = 0;
  }

  /**
   * The next request; `undefined` if it needs more bytes.
   * @throws ProtocolError
   */
  next(): Buffer[] | undefined {
    for (;;) {
      if (this.#missingArguments === 0) {
        if (this.#at >= this.#input.length) return undefined;
        if (this.#input[this.#at] !== star) {
          const words = this.#inline();
          if (words === undefined || words.length > 0) return words;
          continue;
        }
        const count = this.#begin();
        if (count === undefined) return undefined;
        if (count === 0) continue;
      }
      while (this.#missingArguments > 0) {
        const argument = this.#argument();
        if (argument === undefined) return undefined;
        this.#arguments.push(argument);
        this.#missingArguments--;
      }
      const request = this.#arguments;
      this.#arguments = [];
      return request;
    }
  }

  /** @returns the number of arguments that follow. */
  #begin(): number | undefined {
    let count = this.#shortNumber();
    if (count === undefined) {
      const line = this.#line('too big mbulk count string');
      if (line === undefined) return undefined;
      count = wholeNumber(line);
    }
    if (count === undefined || count > argumentsMax) throw new ProtocolError('invalid multibulk length');
    if (this.isStranger && count > strangerArgumentsMax) {
      throw new ProtocolError('unauthenticated multibulk length');
    }
    this.#missingArguments = Math.max(0, count);
    this.#requestBytes = 0;
    return this.#missingArguments;
  }

  #argument(): Buffer | undefined {
    if (this.#bulkBytes < 0 && !this.#bulkLength()) return undefined;
    const bytes = this.#bulkBytes;
    if (this.#gathered !== undefined) return this.#gather(this.#gathered);
    const end = this.#at + bytes;
    if (this.#input.length >= end + 2) {
      const argument = this.#input.subarray(this.#at, end);
      this.#at = end + 2;
      this.#bulkBytes = -1;
      return argument;
    }
    if (bytes < gatheredBytesMin) return undefined;
    this.#gathered = Buffer.allocUnsafe(bytes + 2);
    this.#gatheredBytes = 0;
    return this.#gather(this.#gathered);
  }

  #gather(into: Buffer): Buffer | undefined {
    const taken = this.#input.copy(into, this.#gatheredBytes, this.#at);
    this.#at += taken;
    this.#gatheredBytes += taken;
    if (this.#gatheredBytes < into.length) return undefined;
    this.#gathered = undefined;
    this.#gatheredBytes = 0;
    this.#bulkBytes = -1;
    return into.subarray(0, into.length - 2);
  }

  #bulkLength(): boolean {
    if (this.#at >= this.#input.length) return false;
    let bytes = this.#input[this.#at] === dollar ? this.#shortNumber() : undefined;
    if (bytes === undefined) {
      const line = this.#line('too big bulk count string');
      if (line === undefined) return false;
      if (line.charCodeAt(0) !== dollar) {
        throw new ProtocolError(`expected '$', got '${line === '' ? '\r' : line.slice(0, 1)}'`);
      }
      bytes = wholeNumber(line);
    }
    if (bytes === undefined || bytes < 0 || bytes > valueBytesMax)
      throw new ProtocolError('invalid bulk length');
    if (this.isStranger && bytes > strangerBytesMax) throw new ProtocolError('unauthenticated bulk length');
    this.#requestBytes += bytes;
    if (this.#requestBytes > requestBytesMax) throw new ProtocolError('too big request');
    this.#bulkBytes = bytes;
    return true;
  }

  /**
   * Fast path for nearly every line: digits after its first character, no leading zero, received whole. Consumes the
   * line. For any other line it returns `undefined` and consumes nothing.
   */
  #shortNumber(): number | undefined {
    const input = this.#input;
    const from = this.#at + 1;
    let number = 0;
    let at = from;
    for (; at < input.length && at - from < shortDigitsMax; at++) {
      const digit = input[at]! - zero;
      if (digit < 0 || digit > 9 || (digit === 0 && at === from)) break;
      number = number * 10 + digit;
    }
    if (at === from || input[at] !== carriageReturn || at + 1 >= input.length) return undefined;
    this.#at = at + 2;
    return number;
  }

  /** Consumes bytes up to a carriage return and one more byte, whatever its value, as Redis does. */
  #line(complaint: string): string | undefined {
    const input = this.#input;
    const end = input.indexOf(carriageReturn, this.#at);
    if (end < 0 && input.length - this.#at > inlineBytesMax) throw new ProtocolError(complaint);
    if (end < 0 || end + 1 >= input.length) return undefined;
    const line = input.toString('latin1', this.#at, end);
    this.#at = end + 2;
    return line;
  }

  #inline(): Buffer[] | undefined {
    const input = this.#input;
    const end = input.indexOf(lineFeed, this.#at);
    if (end < 0) {
      if (input.length - this.#at > inlineBytesMax) throw new ProtocolError('too big inline request');
      return undefined;
    }
    const last = end > this.#at && input[end - 1] === carriageReturn ? end - 1 : end;
    const words = splitInline(input.subarray(this.#at, last));
    this.#at = end + 1;
    if (words === undefined) throw new ProtocolError('unbalanced quotes in request');
    return words;
  }
}

/** The number after the first character. */
function wholeNumber(line: string): number | undefined {
  return /^.(0|-?[1-9]\d{0,18})$/s.test(line) ? Number(line.slice(1)) : undefined;
}
