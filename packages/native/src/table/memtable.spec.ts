import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeBatch, type BatchEntry } from '../testing/entry-batch.js';
import { Memtable } from './memtable.js';
import { TableWrite } from './table-job.js';
import { scanBatches } from './table-scan.js';

const key = fc.stringMatching(/^[ab]{1,4}$/).map((text) => Buffer.from(text));
const value = fc.uint8Array({ maxLength: 9 }).map((bytes) => Buffer.from(bytes));
const entry: fc.Arbitrary<BatchEntry> = fc.tuple(key, fc.option(value, { freq: 4, nil: null }));
const batches = fc.array(fc.array(entry, { minLength: 1, maxLength: 6 }), { maxLength: 12 });

/** What a map of the first `count` writes has. */
function modelOf(writes: readonly BatchEntry[], count: number): Map<string, Buffer | null> {
  return new Map(writes.slice(0, count).map(([name, value]) => [name.toString(), value]));
}

async function walk(memtable: Memtable, view: number, reverse = false): Promise<[string, string][]> {
  const found: [string, string][] = [];
  const scan = scanBatches({ memtables: [memtable], view }, { reverse }, () => undefined);
  for await (const batch of scan)
    for (const [name, value] of batch) found.push([name.toString(), value.toString()]);
  return found;
}

describe('Memtable', () => {
  it('has in each view what a map had after that write', async () => {
    await fc.assert(
      fc.asyncProperty(batches, async (all) => {
        const memtable = new Memtable();
        const writes = all.flat();
        let sequence = 1;
        for (const batch of all) {
          memtable.apply(encodeBatch(batch), batch.length, sequence);
          sequence += batch.length;
        }
        expect(memtable.entries).toBe(writes.length);
        for (let view = 0; view <= writes.length; view += 1) {
          const model = modelOf(writes, view);
          for (const [name] of writes) expect(memtable.get(name, view)).toEqual(model.get(name.toString()));
          const present = [...model].filter(([, value]) => value !== null);
          const expected = present.map(([name, value]) => [name, value!.toString()]).sort();
          expect(await walk(memtable, view)).toEqual(expected);
          expect(await walk(memtable, view, true)).toEqual(expected.toReversed());
        }
        memtable.release();
      }),
      { numRuns: 60 },
    );
  });

  it('absorbs a newer one, and its views do not change', () => {
    fc.assert(
      fc.property(batches, batches, (older, newer) => {
        const [base, top] = [new Memtable(), new Memtable()];
        const [before, after] = [older.flat(), newer.flat()];
        base.apply(encodeBatch(before), before.length, 1);
        top.apply(encodeBatch(after), after.length, 1 + before.length);
        base.absorb(top);
        const all = [...before, ...after];
        const [old, now] = [modelOf(before, before.length), modelOf(all, all.length)];
        for (const [name] of all) {
          expect(base.get(name)).toEqual(now.get(name.toString()));
          expect(base.get(name, before.length)).toEqual(old.get(name.toString()));
        }
      }),
    );
  });

  it('refuses a batch that contradicts itself as a whole', () => {
    const memtable = new Memtable();
    const good = encodeBatch([[Buffer.from('a'), Buffer.from('1')]]);
    const long = encodeBatch([[Buffer.alloc(512, 'k'), Buffer.alloc(0)]]);
    const kind = Buffer.from(good).fill(1, 0, 1);
    for (const bad of [good.subarray(0, -1), Buffer.concat([good, Buffer.of(0)]), long, kind]) {
      const apply = (): void => memtable.apply(Buffer.concat([good, bad]), 2, 1);
      expect(apply).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }));
    }
    expect(memtable.entries).toBe(0);
    expect(memtable.bytes).toBe(0);
  });

  it('is closed by its last user, and read meanwhile by who has begun to', async () => {
    const memtable = new Memtable().retain();
    memtable.apply(encodeBatch([[Buffer.from('a'), Buffer.from('1')]]), 1, 1);
    memtable.release();
    const walking = walk(memtable, 1);
    memtable.release();
    expect(await walking).toEqual([['a', '1']]);
    const closed = expect.objectContaining({ code: 'EXOPOOL_CLOSED' }) as Error;
    expect(() => memtable.get(Buffer.from('a'))).toThrow(closed);
    expect(
      () => new TableWrite({ memtables: [memtable] }, { path: '/x', tableId: 1n, createdMs: 0 }),
    ).toThrow(closed);
  });

  it('is written on this thread while others read it', async () => {
    const memtable = new Memtable();
    const keyOf = (index: number): Buffer => Buffer.from(String((index * 7919) % 20_000).padStart(6, '0'));
    const walks: Promise<[string, string][]>[] = [];
    for (let index = 1; index <= 20_000; index += 1) {
      memtable.apply(encodeBatch([[keyOf(index), Buffer.from(String(index))]]), 1, index);
      if (index % 4000 === 0) {
        walks.push(walk(memtable, index), walk(memtable, index, true));
        await new Promise(setImmediate);
      }
    }
    for (const [position, found] of (await Promise.all(walks)).entries()) {
      const view = 4000 * (1 + (position >> 1));
      expect(found.length).toBe(view);
      expect(found.every(([, value]) => Number(value) <= view)).toBe(true);
    }
    memtable.release();
  });
});
