import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inChunks, toList } from '../testing/chunks.js';
import { records } from './records.js';

describe.each(['\n', '\n\n'] as const)('records separated by %j', (separator) => {
  it('cuts the same records however the bytes are chunked', async () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'é', '\n', '\r'), maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.array(fc.integer({ min: 1, max: 7 }), { minLength: 1 }),
        async (input, sizes) => {
          const found = await toList(records('test', inChunks(Buffer.from(input), sizes), separator));
          const expected = input.split(separator);
          if (expected.at(-1) === '') expected.pop();
          expect(found.map((record) => record.bytes.toString())).toEqual(expected);
        },
      ),
    );
  });

  it('knows the line on which each record starts', async () => {
    const text = ['one', 'two\nmore', 'three'].join(separator);
    const found = await toList(records('test', inChunks(Buffer.from(text), [4]), separator));
    const lines = text.split('\n');
    for (const record of found) expect(lines[record.line - 1]).toBe(record.bytes.toString().split('\n')[0]);
  });
});
