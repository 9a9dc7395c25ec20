import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { EntryEncoder } from './entry-encoder.js';
import { decodePayload } from '../testing/log.js';
import { keyArbitrary, valueArbitrary } from '../testing/table.js';

const text = fc.string({ minLength: 1, maxLength: 20, unit: 'binary' });

describe('EntryEncoder', () => {
  it('packs bytes and strings of any length, in order', () => {
    const pairs = fc.array(fc.tuple(fc.oneof(keyArbitrary, text), fc.oneof(valueArbitrary, text)));
    fc.assert(
      fc.property(pairs, fc.constantFrom(1000, 30_000, 1 << 20), (entries, memoryBytes) => {
        const found: [Buffer, unknown][] = [];
        const encoder = new EntryEncoder(memoryBytes, (batch) => {
          for (const { key, value } of decodePayload(Buffer.from(batch))!) found.push([key, value]);
        });
        for (const [key, value] of entries) encoder.add(key, value);
        encoder.flush();
        const bytesOf = (given: Buffer | string): Buffer => Buffer.from(given as string);
        expect(found).toEqual(entries.map(([key, value]) => [bytesOf(key), bytesOf(value)]));
        const total = entries.reduce((sum, [k, v]) => sum + bytesOf(k).length + bytesOf(v).length, 0);
        expect(encoder.bytes).toBe(total);
      }),
    );
  });

  it.each([
    ['', 'v'],
    ['k'.repeat(512), 'v'],
    [5, 'v'],
    [undefined, 'v'],
    ['k', null],
    ['k', { length: 3 }],
    ['k', Buffer.alloc((16 << 20) + 1)],
  ])('refuses %s', (key, value) => {
    const encoder = new EntryEncoder(1 << 20, () => undefined);
    const add = (): void => encoder.add(key as string, value as string);
    expect(add).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }));
    expect(encoder.bytes).toBe(0);
  });
});
