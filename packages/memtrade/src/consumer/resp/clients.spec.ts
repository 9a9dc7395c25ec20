/** Everyday Redis clients, unchanged. */
import { execFile, spawnSync } from 'node:child_process';
import { promisify } from 'node:util';
import { needs } from '@exopool/house';
import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLeasedCache, type LeasedCache } from '../../testing/leased-cache.js';
import { RespServer } from './resp-server.js';

const MiB = 1024 * 1024;
const run = promisify(execFile);
const hasTools = spawnSync('redis-cli', ['--version']).error === undefined;

let leased: LeasedCache;
let server: RespServer;
beforeAll(async () => {
  leased = await openLeasedCache(4, 16 * MiB);
  server = await RespServer.listen({ tier: leased.cache, port: 0 });
});
afterAll(async () => {
  await server.close();
  leased.close();
});

describe('ioredis', () => {
  it('works, with auto-pipelining too', async () => {
    for (const enableAutoPipelining of [false, true]) {
      const redis = new Redis({ port: server.port, enableAutoPipelining, connectionName: 'test' });
      await redis.flushdb();
      expect(await redis.set('a', 'one', 'EX', 100, 'NX')).toBe('OK');
      expect(await redis.set('a', 'two', 'NX')).toBeNull();
      expect(await redis.get('a')).toBe('one');
      expect(await redis.ttl('a')).toBe(100);
      const many = Array.from({ length: 200 }, (_, index) => `key ${index}`);
      await Promise.all(many.map((key) => redis.set(key, `value of ${key}`)));
      expect(await Promise.all(many.map((key) => redis.get(key)))).toEqual(
        many.map((key) => `value of ${key}`),
      );
      expect(await redis.mget('key 1', 'none')).toEqual(['value of key 1', null]);
      expect(await redis.incrby('n', 41)).toBe(41);
      const results = await redis.pipeline().incr('n').append('n', '0').getrange('n', 0, 0).del('n').exec();
      expect(results?.map(([, value]) => value)).toEqual([42, 3, '4', 1]);
      const found = new Set<string>();
      for await (const keys of redis.scanStream({ match: 'key*', count: 13 })) {
        for (const key of keys as string[]) found.add(key);
      }
      expect(found.size).toBe(200);
      await expect(redis.call('lpush', 'x', '1')).rejects.toThrow(/unknown command/);
      const bytes = Buffer.alloc(3 * MiB, 'x');
      await redis.set('long', bytes);
      expect((await redis.getBuffer('long'))?.equals(bytes)).toBe(true);
      redis.disconnect();
    }
  });
});

describe.each([2, 3] as const)('node-redis, RESP%i', (RESP) => {
  it('works', async () => {
    const client = createClient({ url: `redis://127.0.0.1:${server.port}/0`, RESP, name: 'test' });
    await client.connect();
    await client.flushDb();
    expect(await client.set('a', 'one', { expiration: { type: 'PX', value: 100_000 } })).toBe('OK');
    expect(await client.set('a', 'two', { GET: true })).toBe('one');
    expect(await client.ttl('a')).toBe(-1);
    expect(await client.mGet(['a', 'none'])).toEqual(['two', null]);
    expect(await client.incrByFloat('f', 0.1)).toBe('0.1');
    expect(await client.getEx('f', { type: 'EX', value: 50 })).toBe('0.1');
    expect(await client.exists(['a', 'f', 'a'])).toBe(3);
    const keys: string[] = [];
    for await (const batch of client.scanIterator()) keys.push(...batch);
    expect(keys.sort()).toEqual(['a', 'f']);
    expect(await client.dbSize()).toBe(2);
    expect(await client.getDel('f')).toBe('0.1');
    expect(await client.clientGetName()).toBe('test');
    expect(await client.configGet('maxmemory')).toEqual({ maxmemory: '0' });
    expect(await client.info('replication')).toMatch(/role:master/);
    client.destroy();
  });
});

describe('redis-tools', needs('redis', hasTools ? undefined : 'redis-tools are not installed'), () => {
  const cli = async (...words: string[]): Promise<string> =>
    (await run('redis-cli', ['-p', String(server.port), ...words])).stdout.trim();

  it('redis-cli works', async () => {
    expect(await cli('set', 'greeting', 'hello')).toBe('OK');
    expect(await cli('-3', 'get', 'greeting')).toBe('hello');
    expect(await cli('--scan', '--pattern', 'greet*')).toBe('greeting');
    expect(await cli('info', 'server')).toMatch(/redis_version:7/);
    expect(await cli('command', 'count')).toBe(String(server.table.size));
    expect(await cli('command', 'docs', 'get')).toMatch(/summary/);
    expect(await cli('lpush', 'a', 'b')).toMatch(/ERR unknown command 'lpush'/);
  });

  it('redis-benchmark works', async () => {
    const options = [
      '-p',
      String(server.port),
      '-n',
      '3000',
      '-r',
      '100',
      '-q',
      '-t',
      'ping,set,get,incr,mset',
    ];
    for (const more of [[], ['-P', '16', '-d', '1000'], ['-3', '-c', '5']]) {
      const { stdout } = await run('redis-benchmark', [...options, ...more]);
      expect(stdout.match(/requests per second/g)?.length).toBeGreaterThanOrEqual(5);
      expect(stdout).not.toMatch(/error/i);
    }
  });
});
