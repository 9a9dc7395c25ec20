import { createCache } from 'cache-manager';
import { Keyv } from 'keyv';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openLeasedCache, type LeasedCache } from '../testing/leased-cache.js';
import { KeyvStore } from './keyv-store.js';
import { RemoteCache } from './remote-cache.js';

let leased: LeasedCache;
let cache: RemoteCache;

beforeEach(async () => {
  leased = await openLeasedCache(4, 65_536);
  cache = new RemoteCache(leased.cache, () => {
    leased.close();
    return Promise.resolve();
  });
});
afterEach(async () => {
  vi.useRealTimers();
  await cache.close();
});

describe('a remote cache', () => {
  it('gives values back under strings and bytes alike', async () => {
    await cache.set('a', 'text');
    await cache.setMany([
      ['b', Buffer.from([1, 2])],
      [Buffer.from('c'), ''],
    ]);
    expect(await cache.get(Buffer.from('a'))).toEqual(Buffer.from('text'));
    expect(await cache.getMany(['b', 'none', 'c'])).toEqual([
      Buffer.from([1, 2]),
      undefined,
      Buffer.alloc(0),
    ]);
    await cache.delete('a');
    expect(await cache.get('a')).toBeUndefined();
  });

  it('forgets a value when its time is over', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    await cache.set('short', 'x', { ttlMs: 1000 });
    await cache.set('long', 'y', { ttlMs: Number.POSITIVE_INFINITY });
    vi.setSystemTime(Date.now() + 999);
    expect(await cache.get('short')).toEqual(Buffer.from('x'));
    vi.setSystemTime(Date.now() + 1);
    expect(await cache.getMany(['short', 'long'])).toEqual([undefined, Buffer.from('y')]);
  });

  it.each([0, -1, Number.NaN])('refuses a time to live of %d', async (ttlMs) => {
    await expect(cache.set('a', 'b', { ttlMs })).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
  });

  it('tells of memory that is lost, and goes on with misses', async () => {
    await cache.set('a', 'b');
    const told = new Promise((resolve) => cache.once('capacity', resolve));
    leased.lose();
    expect(await told).toBe(0);
    expect(await cache.get('a')).toBeUndefined();
    await cache.set('a', 'b');
  });

  it('is closed at the end of its block', async () => {
    let closed = 0;
    {
      await using short = new RemoteCache(leased.cache, () => {
        closed++;
        return Promise.resolve();
      });
      await short.set('a', 'b');
    }
    expect(closed).toBe(1);
  });
});

describe('as a store of keyv', () => {
  it('holds what JSON holds, with times to live', async () => {
    const keyv = new Keyv({ store: new KeyvStore(cache), namespace: 'users' });
    await keyv.set('one', { name: 'Ada', tags: [1, null] });
    expect(await keyv.get('one')).toEqual({ name: 'Ada', tags: [1, null] });
    expect(await keyv.get(['one', 'two'])).toEqual([{ name: 'Ada', tags: [1, null] }, undefined]);
    expect(await keyv.has('one')).toBe(true);
    expect(await keyv.delete('one')).toBe(true);
    expect(await keyv.delete('one')).toBe(false);
    await keyv.set('three', 3, 60_000);
    await keyv.clear();
    expect(await keyv.get('three')).toBeUndefined();
  });

  it('serves cache-manager', async () => {
    const manager = createCache({ stores: [new Keyv({ store: new KeyvStore(cache) })] });
    let made = 0;
    const make = (): Promise<number> => Promise.resolve(++made);
    expect([await manager.wrap('k', make), await manager.wrap('k', make)]).toEqual([1, 1]);
    await manager.mset([
      { key: 'a', value: 1 },
      { key: 'b', value: 2, ttl: 60_000 },
    ]);
    expect(await manager.mget(['a', 'b', 'c'])).toEqual([1, 2, undefined]);
    await manager.del('a');
    expect(await manager.get('a')).toBeUndefined();
  });
});
