import { randomBytes } from 'node:crypto';
import { setImmediate as turn } from 'node:timers/promises';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheOver, key, Leased } from '../testing/sealed-cache.js';
import { sealModes } from '../contracts.js';
import { SealedCache } from './sealed-cache.js';
import type { SlabSession } from '../slab/slab-client.js';

const KiB = 1024;

describe.each(sealModes)('a cache, sealing %s', (mode) => {
  it('gives values back, in the order asked', async () => {
    const { cache } = await cacheOver(2, 64 * KiB, mode);
    const values = Array.from({ length: 30 }, (_, index) => randomBytes(index * 10));
    await cache.putMany(values.map((value, index) => [key(index), value] as const));
    const asked = [7, 3, 99, 0, 29, 3];
    expect(await cache.getMany(asked.map(key))).toEqual(asked.map((index) => values[index]));
    expect(cache.stats()).toMatchObject({ hits: 5, misses: 1, puts: 30, entries: 30, tampered: 0 });
  });

  it('keeps the last of two values, also within one call', async () => {
    const { cache } = await cacheOver(1, 64 * KiB, mode);
    const first = cache.putMany([[key(1), Buffer.from('a')]]);
    const second = cache.putMany([
      [key(1), Buffer.from('b')],
      [key(1), Buffer.from('c')],
    ]);
    await Promise.all([first, second]);
    expect(await cache.getMany([key(1)])).toEqual([Buffer.from('c')]);
    expect(cache.stats()).toMatchObject({ entries: 1 });
  });

  it('answers calls one after the other, and many at a time', async () => {
    const { cache } = await cacheOver(1, 256 * KiB, mode);
    const value = (index: number): Buffer => Buffer.alloc(200, index);
    await cache.putMany(Array.from({ length: 200 }, (_, index) => [key(index), value(index)] as const));
    for (let index = 0; index < 300; index++) {
      expect(await cache.getMany([key(index % 250)])).toEqual([
        index % 250 < 200 ? value(index % 250) : undefined,
      ]);
    }
    const many = await Promise.all(Array.from({ length: 200 }, (_, index) => cache.getMany([key(index)])));
    expect(many.flat()).toEqual(Array.from({ length: 200 }, (_, index) => value(index)));
  });

  it('answers gets of one turn together, whatever else is asked in it', async () => {
    const { cache } = await cacheOver(1, 256 * KiB, mode);
    const value = (index: number): Buffer | undefined => (index < 100 ? Buffer.alloc(200, index) : undefined);
    await cache.putMany(Array.from({ length: 100 }, (_, index) => [key(index), value(index)!] as const));
    const asked = Array.from({ length: 150 }, (_, index) => (index * 7) % 150);
    const [single, many, none] = await Promise.all([
      Promise.all(asked.map((index) => cache.get(key(index)))),
      cache.getMany(asked.map(key)),
      cache.getMany([]),
    ]);
    expect(single).toEqual(asked.map(value));
    expect(many).toEqual(asked.map(value));
    expect(none).toEqual([]);
    expect(cache.stats()).toMatchObject({ hits: 200, misses: 100 });
  });

  it('survives lookups of keys that share no bytes with what it holds', async () => {
    const { cache } = await cacheOver(1, 64 * KiB, mode);
    const keys = [Buffer.alloc(0), Buffer.alloc(1), Buffer.alloc(2), Buffer.alloc(4096, 7)];
    await cache.putMany(keys.map((each, index) => [each, Buffer.from([index])] as const));
    expect(await cache.getMany(keys)).toEqual(keys.map((_, index) => Buffer.from([index])));
    expect(cache.mayHold(Buffer.alloc(3))).toBe(false);
    expect(cache.mayHold(Buffer.alloc(4096, 7))).toBe(true);
  });
});

describe('a sealed cache', () => {
  it('shows a producer neither keys nor values', async () => {
    const { cache, leased, ticket } = await cacheOver(1, 64 * KiB);
    const secret = Buffer.from('a value that nobody else may read');
    await cache.putMany([[key('a key that nobody may read'), secret]]);
    const [bytes] = await (await leased.connect(ticket)).readMany([{ slab: 0, offset: 0, length: 64 * KiB }]);
    expect(bytes!.includes(secret)).toBe(false);
    expect(bytes!.includes('nobody may read')).toBe(false);
    expect(bytes!.every((byte) => byte === 0)).toBe(false);
  });

  it('rejects what is too large, and forgets the older value of that key', async () => {
    const { cache } = await cacheOver(4, 8 * KiB);
    await cache.putMany([[key(1), Buffer.from('old')]]);
    await cache.putMany([
      [key(1), Buffer.alloc(8 * KiB)],
      [key(2), Buffer.alloc(2 * KiB * KiB)],
      [Buffer.alloc(5000), Buffer.alloc(1)],
    ]);
    expect(await cache.getMany([key(1)])).toEqual([undefined]);
    expect(cache.stats()).toMatchObject({ rejected: 3, entries: 0, bytes: 0 });
    const none = new SealedCache();
    await none.putMany([[key(1), Buffer.from('x')]]);
    expect(none.stats()).toMatchObject({ rejected: 1, entries: 0 });
  });

  it('makes room by forgetting what is not used', async () => {
    const { cache } = await cacheOver(1, 64 * KiB);
    const value = Buffer.alloc(1000, 1);
    for (let index = 0; index < 500; index++) {
      await cache.putMany([[key(index), value]]);
      await cache.getMany([key(0)]);
    }
    expect(await cache.getMany([key(0), key(1), key(499)])).toEqual([value, undefined, value]);
    const { evictions, entries, bytes, capacityBytes, moved } = cache.stats();
    expect(evictions + entries).toBe(500);
    expect(moved).toBeGreaterThan(0);
    expect(bytes).toBeLessThanOrEqual(capacityBytes);
    expect(entries).toBeGreaterThan(40);
  });

  it('keeps what is in use while a scan passes', async () => {
    const { cache } = await cacheOver(4, 256 * KiB);
    const value = Buffer.alloc(500, 1);
    const hot = Array.from({ length: 200 }, (_, index) => key(`hot ${index}`));
    const fill = async (keys: readonly Buffer[]): Promise<void> => {
      const found = await cache.getMany(keys);
      await cache.putMany(keys.filter((_, index) => found[index] === undefined).map((each) => [each, value]));
    };
    for (let round = 0; round < 60; round++) {
      for (let again = 0; again < 3; again++) await fill(hot);
      await fill(Array.from({ length: 100 }, (_, index) => key(`scanned ${round} ${index}`)));
    }
    // Five times the capacity, nothing of it twice.
    for (let round = 0; round < 100; round++)
      await fill(Array.from({ length: 100 }, (_, index) => key(`scan ${round} ${index}`)));
    const kept = (await cache.getMany(hot)).filter((each) => each !== undefined).length;
    expect(kept).toBeGreaterThan(150);
  });

  it('takes at most 24 bytes of local memory for a pair', async () => {
    const { cache } = await cacheOver(16, 1024 * KiB);
    const value = Buffer.alloc(20);
    const pairs = 200_000;
    let most = 0;
    for (let index = 0; index < pairs; index += 1000) {
      await cache.putMany(
        Array.from({ length: 1000 }, (_, each) => [Buffer.from(String(index + each)), value] as const),
      );
      const { entries, metadataBytes } = cache.stats();
      if (entries >= 100_000) most = Math.max(most, metadataBytes / entries);
    }
    expect(cache.stats().entries).toBe(pairs);
    expect(most).toBeLessThan(24);
  });
});

describe('when producers come and go', () => {
  it('everything of a session that is removed is a miss, at once', async () => {
    const { cache, leased, session } = await cacheOver(1, 64 * KiB);
    await cache.putMany([[key(1), Buffer.from('in one')]]);
    const { session: two } = await leased.lease(1);
    cache.addMemory(two);
    cache.removeMemory(session);
    expect(await cache.getMany([key(1)])).toEqual([undefined]);
    await cache.putMany([[key(1), Buffer.from('in two')]]);
    expect(await cache.getMany([key(1)])).toEqual([Buffer.from('in two')]);
    cache.removeMemory(two);
    expect(cache.stats()).toMatchObject({ entries: 0, bytes: 0, capacityBytes: 0, tampered: 0 });
  });

  it('a producer that dies under load is misses, in bounded time, without an error', async () => {
    const { cache, leased } = await cacheOver(4, 256 * KiB);
    const keys = Array.from({ length: 500 }, (_, index) => key(index));
    await cache.putMany(keys.map((each) => [each, Buffer.alloc(1000)] as const));
    let wrong = 0;
    let running = true;
    const loop = async (start: number): Promise<void> => {
      for (let index = start; running; index++) {
        const [value] = await cache.getMany([keys[index % keys.length]!]);
        if (value !== undefined && value.length !== 1000) wrong++;
        await cache.putMany([[keys[(index * 7) % keys.length]!, Buffer.alloc(1000)]]);
        // Misses are answered at once: the event loop must get a turn.
        if (value === undefined) await turn();
      }
    };
    const loops = Array.from({ length: 16 }, (_, start) => loop(start * 31));
    await expect.poll(() => cache.stats().hits).toBeGreaterThan(1000);
    leased.server.close();
    await expect.poll(() => cache.stats().capacityBytes).toBe(0);
    running = false;
    await Promise.all(loops);
    expect(wrong).toBe(0);
    expect(cache.stats()).toMatchObject({ entries: 0, tampered: 0 });
  });

  it('gives back the slabs that a producer wants, and moves what is in use first', async () => {
    const leased = new Leased(256 * KiB);
    const cache = new SealedCache();
    const [one, two] = [await leased.lease(4), await leased.lease(4)];
    cache.addMemory(one.session);
    const keys = Array.from({ length: 60 }, (_, index) => key(index));
    const value = Buffer.alloc(1000, 1);
    await cache.putMany(keys.map((each) => [each, value] as const));
    cache.addMemory(two.session);
    await cache.getMany(keys.slice(0, 30));
    expect(leased.server.ask(one.ticket.subarray(8, 24), 4, 5000)).toBe(true);
    await expect.poll(() => cache.stats()).toMatchObject({ capacityBytes: 1024 * KiB, moved: 30 });
    expect(await cache.getMany(keys)).toEqual(keys.map((_, index) => (index < 30 ? value : undefined)));
    expect(cache.stats()).toMatchObject({ entries: 30, tampered: 0, capacityBytes: 1024 * KiB });
  });

  it('forgets slabs that a producer took', async () => {
    const { cache, leased, ticket } = await cacheOver(2, 64 * KiB);
    await cache.putMany(Array.from({ length: 100 }, (_, index) => [key(index), Buffer.alloc(900)] as const));
    expect(leased.server.take(ticket.subarray(8, 24), 1)).toBe(1);
    await expect.poll(() => cache.stats().capacityBytes).toBe(64 * KiB);
    const got = await cache.getMany(Array.from({ length: 100 }, (_, index) => key(index)));
    expect(got.filter((each) => each !== undefined)).toHaveLength(cache.stats().entries);
    expect(cache.stats().tampered).toBe(0);
  });
});

describe.each(sealModes)('whatever happens at the same time, sealing %s', (mode) => {
  it('no get returns a value older than what was put or deleted before it', async () => {
    const leased = new Leased(4 * KiB);
    const command = fc.record({
      kind: fc.constantFrom('put', 'put', 'get', 'get', 'delete', 'lose', 'wait'),
      keys: fc.array(fc.nat({ max: 9 }), { minLength: 1, maxLength: 4 }),
      size: fc.nat({ max: 1500 }),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 80 }), async (commands) => {
        const cache = new SealedCache({ mode });
        const sessions: SlabSession[] = [(await leased.lease(3)).session, (await leased.lease(5)).session];
        for (const session of sessions) cache.addMemory(session);
        const latest = new Map<number, string | undefined>();
        const running: Promise<void>[] = [];
        for (const [index, { kind, keys, size }] of commands.entries()) {
          if (kind === 'wait') {
            await Promise.all(running);
          } else if (kind === 'lose') {
            const session = sessions[index % 2]!;
            cache.removeMemory(session);
            cache.addMemory(session);
          } else if (kind === 'delete') {
            await cache.deleteMany(keys.map(key));
            for (const each of keys) latest.set(each, undefined);
          } else if (kind === 'put') {
            const values = keys.map((_, place) => `${index}.${place}.`.padEnd(size, '.'));
            running.push(
              cache.putMany(keys.map((each, place) => [key(each), Buffer.from(values[place]!)] as const)),
            );
            keys.forEach((each, place) => latest.set(each, values[place]));
          } else {
            running.push(
              cache.getMany(keys.map(key)).then((got) => {
                // What is still current when it arrives, or nothing.
                got.forEach((value, place) => {
                  if (value !== undefined) expect(value.toString()).toBe(latest.get(keys[place]!));
                });
              }),
            );
          }
        }
        await Promise.all(running);
        expect(cache.stats().tampered).toBe(0);
        const names = [...latest.keys()];
        (await cache.getMany(names.map(key))).forEach((value, place) =>
          expect([undefined, latest.get(names[place]!)]).toContain(value?.toString()),
        );
        await Promise.all(sessions.map((session) => session.release()));
      }),
      { numRuns: 25 },
    );
  });
});
