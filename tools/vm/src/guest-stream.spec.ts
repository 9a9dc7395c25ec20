import fc from 'fast-check';
import { expect, it } from 'vitest';
import { GuestStream } from './guest-stream.js';

const token = '@@token@@';

function takeApart(chunks: readonly Uint8Array[]): (string | { mark: string })[] {
  const seen: (string | { mark: string })[] = [];
  const stream = new GuestStream(token, {
    data: (bytes) => {
      const last = seen.at(-1);
      if (typeof last === 'string') seen[seen.length - 1] = last + bytes.toString('latin1');
      else seen.push(bytes.toString('latin1'));
    },
    mark: (mark) => seen.push({ mark }),
  });
  for (const chunk of chunks) stream.push(Buffer.from(chunk));
  stream.end();
  return seen;
}

it('gives back the bytes and the marks however they are cut', () => {
  const output = fc.string({ unit: fc.constantFrom('@', 't', 'o', '\n', '\0', 'ÿ'), maxLength: 40 });
  fc.assert(
    fc.property(output, fc.array(fc.nat(80), { maxLength: 10 }), (text, cuts) => {
      fc.pre(!text.includes(token));
      const whole = Buffer.from(`${token}start\n${text}${token}exit 3\n`, 'latin1');
      const ends = [...cuts, whole.length].sort((a, b) => a - b);
      const chunks = ends.map((end, i) => whole.subarray(ends[i - 1] ?? 0, end));
      const middle = text === '' ? [] : [text];
      expect(takeApart(chunks)).toEqual([{ mark: 'start' }, ...middle, { mark: 'exit 3' }]);
    }),
  );
});

it('gives at once what cannot be a token, and the rest when the guest is gone', () => {
  const seen: string[] = [];
  const stream = new GuestStream(token, {
    data: (bytes) => seen.push(bytes.toString()),
    mark: () => undefined,
  });
  stream.push(Buffer.from('hello @@to'));
  expect(seen).toEqual(['hello ']);
  stream.end();
  expect(seen).toEqual(['hello ', '@@to']);
});

it('takes an endless line after a token for a mark that nobody knows', () => {
  expect(takeApart([Buffer.from(`${token}${'x'.repeat(100)}`)])).toEqual([{ mark: 'x'.repeat(100) }]);
});
