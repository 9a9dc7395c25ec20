import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { random, type Random } from '../../testing/random-commands.js';
import { argumentsMax, ProtocolError, RequestParser, valueBytesMax } from './request-parser.js';
import { request } from '../../testing/resp-wire.js';

const mutationCount = process.env['EXOPOOL_TEST_ALL'] === '1' ? 1_000_000 : 20_000;

/** The requests that the parser returns for `bytes` in pieces, up to the first error. */
function parse(bytes: Buffer, pieces: readonly number[]): { requests: Buffer[][]; error?: string } {
  const parser = new RequestParser();
  const requests: Buffer[][] = [];
  let at = 0;
  let turn = 0;
  try {
    while (at < bytes.length) {
      const length = Math.max(1, pieces[turn++ % pieces.length]!);
      parser.push(bytes.subarray(at, at + length));
      at += length;
      for (let found = parser.next(); found !== undefined; found = parser.next()) requests.push(found);
      expect(parser.heldBytes).toBeGreaterThanOrEqual(0);
    }
    return { requests };
  } catch (error) {
    expect(error).toBeInstanceOf(ProtocolError);
    return { requests, error: (error as Error).message };
  }
}

const word = fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes));
const pieces = fc.array(fc.integer({ min: 1, max: 50 }), { minLength: 1, maxLength: 5 });

describe('requests', () => {
  it('come out as they went in, in whatever pieces', () => {
    const requests = fc.array(fc.array(word, { minLength: 1, maxLength: 6 }), { maxLength: 8 });
    fc.assert(
      fc.property(requests, pieces, (sent, cuts) => {
        expect(parse(Buffer.concat(sent.map(request)), cuts)).toEqual({ requests: sent });
      }),
    );
  });

  it('may hold the longest value, in pieces of a network', () => {
    const value = Buffer.alloc(valueBytesMax, 'v');
    const { requests } = parse(Buffer.concat([request(['set', 'k', value]), request(['ping'])]), [65_536]);
    expect(requests.map((each) => each.length)).toEqual([3, 1]);
    expect(requests[0]![2]!.equals(value)).toBe(true);
  });

  it('count what their arguments cost, also when they are empty', () => {
    const parser = new RequestParser();
    parser.push(Buffer.from(`*${argumentsMax}\r\n`));
    parser.push(Buffer.from('$0\r\n\r\n'.repeat(100_000)));
    expect(parser.next()).toBeUndefined();
    expect(parser.heldBytes).toBeGreaterThan(100_000 * 64);
  });

  it('are lines too', () => {
    const lines = 'PING\r\n\r\n  set a "b c" \'d\\\'e\'\n"\\x41\\n\\q"x\r\n';
    const { requests, error } = parse(Buffer.from(lines), [3]);
    expect(requests.map((words) => words.map(String))).toEqual([['PING'], ['set', 'a', 'b c', "d'e"]]);
    expect(error).toBe('unbalanced quotes in request');
  });

  it('are short before a client has said who it is', () => {
    const parser = new RequestParser();
    parser.isStranger = true;
    parser.push(Buffer.from('*11\r\n'));
    expect(() => parser.next()).toThrow('unauthenticated multibulk length');
    const other = new RequestParser();
    other.isStranger = true;
    other.push(Buffer.from('*2\r\n$20000\r\n'));
    expect(() => other.next()).toThrow('unauthenticated bulk length');
  });

  it('do not take more memory than one request may', () => {
    const parser = new RequestParser();
    parser.push(Buffer.from('*20\r\n'));
    const part = Buffer.concat([
      Buffer.from(`$${valueBytesMax}\r\n`),
      Buffer.alloc(valueBytesMax),
      Buffer.from('\r\n'),
    ]);
    expect(() => {
      for (let count = 0; count < 20; count++) {
        parser.push(part);
        expect(parser.next()).toBeUndefined();
      }
    }).toThrow('too big request');
  });
});

describe('hostile bytes', () => {
  it('are refused or understood, and how they are cut changes nothing', () => {
    const hostile = fc.array(
      fc.oneof(
        fc.constantFrom(
          '*',
          '$',
          '\r\n',
          '\n',
          '3',
          '-1',
          '0',
          '"',
          "'",
          '\\x',
          ' ',
          '*1\r\n$4\r\nping\r\n',
          '+OK\r\n',
        ),
        fc.string({ maxLength: 5 }),
      ),
      { maxLength: 30 },
    );
    fc.assert(
      fc.property(hostile, pieces, (parts, cuts) => {
        const bytes = Buffer.from(parts.join(''), 'latin1');
        expect(parse(bytes, cuts)).toEqual(parse(bytes, [bytes.length]));
      }),
      { numRuns: 2000 },
    );
  });

  it(`${mutationCount} mutations of good requests`, { timeout: 600_000 }, () => {
    const draw = random(7);
    const good = [
      request(['set', 'key', 'value', 'EX', '100']),
      request(['mget', 'a', 'b', 'c']),
      Buffer.from('set a "b c"\r\nget a\r\n'),
      Buffer.concat([request(['ping']), request(['get', 'x']), Buffer.from('*0\r\n')]),
    ];
    for (let count = 0; count < mutationCount; count++) {
      const bytes = mutate(draw, good[count % good.length]!);
      parse(bytes, [1 + Math.floor(draw() * 40)]);
    }
  });
});

const interesting = Buffer.from('*$+-:_%=~|(,#\r\n\0"\'\\ 0123456789x\xff', 'latin1');

/** Changes, doubles or removes some bytes. */
function mutate(draw: Random, good: Buffer): Buffer {
  const bytes = [...good];
  for (let changes = 1 + Math.floor(draw() * 4); changes > 0; changes--) {
    const at = Math.floor(draw() * bytes.length);
    const byte = interesting[Math.floor(draw() * interesting.length)]!;
    const kind = draw();
    if (kind < 0.4) bytes[at] = byte;
    else if (kind < 0.6) bytes.splice(at, 0, byte);
    else if (kind < 0.8) bytes.splice(at, 1 + Math.floor(draw() * 4));
    else bytes.splice(at, 0, ...bytes.slice(at, at + 8));
    if (bytes.length === 0) bytes.push(byte);
  }
  return Buffer.from(bytes);
}
