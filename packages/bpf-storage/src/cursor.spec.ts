import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  ascending,
  BatchCursor,
  descending,
  MemoryCursor,
  MergeCursor,
  tombstone,
  type Cursor,
  type Entry,
} from './cursor.js';

/** Sources of small keys, the newest first, each sorted and without repeats. */
const sources = fc.array(fc.uniqueArray(fc.nat(30), { maxLength: 15 }), { maxLength: 6 });

function entriesOf(keys: readonly number[], source: number, isReverse: boolean): Entry[] {
  const sorted = keys.toSorted((a, b) => (isReverse ? b - a : a - b));
  return sorted.map((key) => ({ key: Buffer.of(key), value: key % 5 === 0 ? tombstone : Buffer.of(source) }));
}

/** Batches of three, some empty, so that the cursor has to wait in the middle. */
async function* batches(entries: readonly Entry[]): AsyncGenerator<readonly Entry[]> {
  for (let at = 0; at < entries.length; at += 3) {
    await Promise.resolve();
    yield entries.slice(at, at + 3);
    yield [];
  }
}

async function collect(cursor: Cursor): Promise<(readonly [number, Entry['value']])[]> {
  const all: (readonly [number, Entry['value']])[] = [];
  for (;;) {
    await cursor.next();
    if (cursor.entry === undefined) return all;
    all.push([cursor.entry.key[0]!, cursor.entry.value]);
  }
}

describe('MergeCursor', () => {
  it.each([false, true])('gives each key once, from its newest source (reverse: %s)', async (isReverse) => {
    await fc.assert(
      fc.asyncProperty(sources, async (keysOfSources) => {
        const model = new Map<number, Entry['value']>();
        const cursors = keysOfSources.map((keys, source) => {
          const entries = entriesOf(keys, source, isReverse);
          for (const { key, value } of entries) if (!model.has(key[0]!)) model.set(key[0]!, value);
          return source % 2 === 0 ? new MemoryCursor(entries) : new BatchCursor(batches(entries));
        });
        const merged = await MergeCursor.open(cursors, isReverse ? descending : ascending);
        const expected = [...model].sort(([a], [b]) => (isReverse ? b - a : a - b));
        expect(await collect(merged)).toEqual(expected);
        expect(await collect(merged)).toEqual([]);
      }),
    );
  });

  it('passes on what a source throws', async () => {
    const failing = new BatchCursor(
      (async function* () {
        await Promise.resolve();
        yield entriesOf([1], 0, false);
        throw new Error('disk');
      })(),
    );
    const merged = await MergeCursor.open([failing], ascending);
    await expect(collect(merged)).rejects.toThrow('disk');
  });
});
