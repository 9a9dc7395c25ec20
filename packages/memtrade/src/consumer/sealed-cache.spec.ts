import { randomBytes } from 'node:crypto';
import type { SlabRange, SlabWrite } from '@exopool/native';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SealedCache } from './sealed-cache.js';
import type { SlabMemory } from './slab-memory.js';
import type { SealMode } from './value-seal.js';

/** A producer in memory: requests take effect at once, their promises settle when `settle` says so. */
class FakeMemory implements SlabMemory {
  readonly bytes: Buffer;
  lost = false;

  constructor(
    readonly slabs: number,
    readonly slabBytes: number,
    readonly settle: <T>(value: T) => Promise<T> = (value) => Promise.resolve(value),
  ) {
    this.bytes = Buffer.alloc(slabs * slabBytes);
  }

  readMany(ranges: readonly SlabRange[]): Promise<(Buffer | undefined)[]> {
    return this.settle(
      ranges.map(({ slab, offset, length }) => {
        const from = slab * this.slabBytes + offset;
        return this.lost ? undefined : Buffer.from(this.bytes.subarray(from, from + length));
      }),
    );
  }

  writeMany(entries: readonly SlabWrite[]): Promise<boolean[]> {
    return this.settle(
      entries.map(({ slab, offset, data }) => {
        if (!this.lost) data.copy(this.bytes, slab * this.slabBytes + offset);
        return !this.lost;
      }),
    );
  }
}

const key = (name: string | number): Buffer => Buffer.from(`key ${name}`);
const modes: SealMode[] = ['aes-128-gcm', 'off'];

function cacheOf(memory: SlabMemory, mode?: SealMode): SealedCache {
  const cache = new SealedCache(mode);
  cache.addMemory(memory);
  return cache;
}

describe.each(modes)('a cache, sealing %s', (mode) => {
  it('gives values back, in the order asked', async () => {
    const cache = cacheOf(new FakeMemory(2, 65_536), mode);
    const values = Array.from({ length: 30 }, (_, index) => randomBytes(index * 10));
    await cache.putMany(values.map((value, index) => [key(index), value] as const));
    const asked = [7, 3, 99, 0, 29, 3];
    expect(await cache.getMany(asked.map(key))).toEqual(asked.map((index) => values[index]));
    const bytes = values.reduce((sum, value) => sum + value.length, 0);
    expect(cache.stats()).toMatchObject({ hits: 5, misses: 1, puts: 30, entries: 30, bytes, tampered: 0 });
  });

  it('keeps the last of two values, also within one call', async () => {
    const cache = cacheOf(new FakeMemory(1, 65_536), mode);
    const first = cache.putMany([[key(1), Buffer.from('a')]]);
    const second = cache.putMany([
      [key(1), Buffer.from('b')],
      [key(1), Buffer.from('c')],
    ]);
    await Promise.all([first, second]);
    expect(await cache.getMany([key(1)])).toEqual([Buffer.from('c')]);
    expect(cache.stats()).toMatchObject({ entries: 1, bytes: 1 });
  });

  it('loses everything of a session that is gone, at once', async () => {
    const [one, two] = [new FakeMemory(1, 65_536), new FakeMemory(1, 65_536)];
    const cache = cacheOf(one, mode);
    await cache.putMany([[key(1), Buffer.from('in one')]]);
    cache.addMemory(two);
    cache.removeMemory(one);
    expect(await cache.getMany([key(1)])).toEqual([undefined]);
    await cache.putMany([[key(1), Buffer.from('in two')]]);
    expect(await cache.getMany([key(1)])).toEqual([Buffer.from('in two')]);
    cache.removeMemory(two);
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, capacityBytes: 0, tampered: 0 });
  });

  it('misses what a lost producer held, without an error, and does not admit more', async () => {
    const memory = new FakeMemory(1, 65_536);
    const cache = cacheOf(memory, mode);
    await cache.putMany([[key(1), Buffer.from('x')]]);
    memory.lost = true;
    expect(await cache.getMany([key(1)])).toEqual([undefined]);
    await cache.putMany([[key(2), Buffer.from('y')]]);
    expect(await cache.getMany([key(2)])).toEqual([undefined]);
    expect(cache.stats().tampered).toBe(0);
  });

  it('rejects what is too large, and forgets the older value of that key', async () => {
    const cache = cacheOf(new FakeMemory(4, 8192), mode);
    await cache.putMany([[key(1), Buffer.from('old')]]);
    await cache.putMany([
      [key(1), Buffer.alloc(8193)],
      [Buffer.alloc(5000), Buffer.alloc(1)],
    ]);
    expect(await cache.getMany([key(1)])).toEqual([undefined]);
    expect(cache.stats()).toMatchObject({ rejected: 2, entries: 0 });
    const none = new SealedCache(mode);
    await none.putMany([[key(1), Buffer.from('x')]]);
    expect(none.stats()).toMatchObject({ rejected: 1, entries: 0 });
  });

  it('makes room by forgetting the oldest, but not what is in use', async () => {
    const cache = cacheOf(new FakeMemory(1, 65_536), mode);
    const value = Buffer.alloc(1000, 1);
    for (let index = 0; index < 500; index++) {
      await cache.putMany([[key(index), value]]);
      expect(await cache.getMany([key(0)])).toEqual([value]);
    }
    expect(await cache.getMany([key(1), key(499)])).toEqual([undefined, value]);
    const { evictions, entries, bytes, capacityBytes } = cache.stats();
    expect(evictions + entries).toBe(500);
    expect(bytes).toBeLessThanOrEqual(capacityBytes);
    expect(entries).toBeGreaterThan(40);
  });
});

describe('what a producer does to sealed values', () => {
  const size = 65_536;
  const tamper: [string, (memory: FakeMemory, before: Buffer) => void][] = [
    ['flips a bit', ({ bytes }) => void (bytes[3]! ^= 1)],
    [
      'swaps two values',
      ({ bytes }) => void Buffer.concat([bytes.subarray(26, 52), bytes.subarray(0, 26)]).copy(bytes),
    ],
    ['replays older bytes', ({ bytes }, before) => void before.copy(bytes)],
    ['forgets everything', ({ bytes }) => void bytes.fill(0)],
  ];

  it.each(tamper)('%s: misses, counted', async (_, act) => {
    const memory = new FakeMemory(1, size);
    const cache = cacheOf(memory);
    // Fills the log once, so that what follows lies at its start, where an older value has been.
    await cache.putMany(
      Array.from({ length: 16 }, (__, index) => [key(`old ${index}`), Buffer.alloc(4080)] as const),
    );
    const before = Buffer.from(memory.bytes);
    await cache.putMany([
      [key(1), Buffer.from('one value.')],
      [key(2), Buffer.from('two values')],
    ]);
    act(memory, before);
    const got = await cache.getMany([key(1), key(2)]);
    expect(got[0]).toBeUndefined();
    expect(cache.stats().tampered).toBeGreaterThan(0);
    expect(cache.stats().misses).toBe(got.filter((value) => value === undefined).length);
    expect(await cache.getMany([key(1)])).toEqual([undefined]);
  });

  it('sees no plain text', async () => {
    const memory = new FakeMemory(1, size);
    const secret = Buffer.from('a value that nobody else may read');
    await cacheOf(memory).putMany([[key('a key that nobody may read'), secret]]);
    expect(memory.bytes.includes(secret)).toBe(false);
    expect(memory.bytes.includes('nobody may read')).toBe(false);
    expect(memory.bytes.every((byte) => byte === 0)).toBe(false);
  });
});

describe.each(modes)('whatever order completions come in, sealing %s', (mode) => {
  it('no get returns a value older than what was put or deleted before it', async () => {
    const command = fc.record({
      kind: fc.constantFrom('put', 'put', 'get', 'get', 'delete', 'lose'),
      keys: fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 4 }),
      size: fc.nat({ max: 1500 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(command, { maxLength: 60 }), async (scheduler, commands) => {
        const settle = <T>(value: T): Promise<T> => scheduler.schedule(Promise.resolve(value));
        let memory = new FakeMemory(3, 4096, settle);
        const cache = cacheOf(memory, mode);
        const latest = new Map<number, string | undefined>();
        const running: Promise<void>[] = [];
        commands.forEach(({ kind, keys, size }, index) => {
          if (kind === 'lose') {
            cache.removeMemory(memory);
            memory.lost = true;
            memory = new FakeMemory(3, 4096, settle);
            cache.addMemory(memory);
          } else if (kind === 'delete') {
            running.push(cache.deleteMany(keys.map(key)));
            for (const each of keys) latest.set(each, undefined);
          } else if (kind === 'put') {
            const values = keys.map((_, place) => Buffer.from(`${index}.${place}.`.padEnd(size, '.')));
            running.push(cache.putMany(keys.map((each, place) => [key(each), values[place]!] as const)));
            keys.forEach((each, place) => latest.set(each, values[place]!.toString()));
          } else {
            const expected = keys.map((each) => latest.get(each));
            running.push(
              cache.getMany(keys.map(key)).then((got) => {
                got.forEach((value, place) =>
                  expect([undefined, expected[place]]).toContain(value?.toString()),
                );
              }),
            );
          }
        });
        await scheduler.waitIdle();
        await Promise.all(running);
        expect(cache.stats().tampered).toBe(0);
        const names = [...latest.keys()];
        const last = cache.getMany(names.map(key));
        await scheduler.waitIdle();
        (await last).forEach((value, place) =>
          expect([undefined, latest.get(names[place]!)]).toContain(value?.toString()),
        );
      }),
      { numRuns: 150 },
    );
  });
});
