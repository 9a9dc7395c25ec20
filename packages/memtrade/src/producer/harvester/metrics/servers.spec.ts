/** The adapters against real servers. */
import { needs, type Feature } from '@exopool/house';
import { Redis } from 'ioredis';
import { Client } from 'pg';
import { connect } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { openMetric } from './open-metric.js';
import type { PerformanceMetric } from './performance-metric.js';
import {
  findProgram,
  startMemcached,
  startPostgresql,
  startRedis,
  type PrivateServer,
} from '../../../testing/servers.js';

const epoch = { seconds: 1, pageIns: 0 };
const cleanup: (() => unknown)[] = [];
afterEach(async () => {
  for (let undo = cleanup.pop(); undo !== undefined; undo = cleanup.pop()) await undo();
});

async function running(start: () => Promise<PrivateServer>): Promise<PrivateServer> {
  const server = await start();
  cleanup.push(() => server.stop());
  return server;
}

async function opened(text: string): Promise<PerformanceMetric> {
  const metric = await openMetric(text);
  cleanup.push(() => metric.close());
  return metric;
}

/** Values of epochs as they come; work is done between them. */
async function value(metric: PerformanceMetric, work: () => Promise<unknown>): Promise<number> {
  let found: number | undefined;
  await expect
    .poll(async () => {
      await work();
      return (found = await metric.endEpoch(epoch));
    })
    .toBeDefined();
  return found!;
}

const needsServer = (feature: Feature, program: string): ReturnType<typeof needs> =>
  needs(feature, findProgram(program) === undefined ? `${program} is not installed` : undefined);

describe('Redis', () => {
  it('tells latency, time of a command, and throughput', needsServer('redis', 'redis-server'), async () => {
    const server = await running(startRedis);
    const redis = new Redis({ path: server.socket });
    cleanup.push(() => redis.disconnect());
    const work = async (): Promise<void> => {
      for (let index = 0; index < 50; index += 1) await redis.set(`key:${index}`, 'x'.repeat(100));
    };
    const latency = await opened(`redis://${server.socket}`);
    expect(await value(latency, work)).toBeGreaterThan(0);
    expect(latency).toMatchObject({ name: 'Redis PING p99, ms', direction: 'lower' });
    const commands = await opened(`redis://${server.socket}?by=commands`);
    const microseconds = await value(commands, work);
    expect(microseconds).toBeGreaterThan(0);
    expect(microseconds).toBeLessThan(100_000);
    // Our own questions are no commands of the application.
    await expect.poll(() => commands.endEpoch(epoch)).toBeUndefined();
    const throughput = await opened(`redis://${server.socket}?by=throughput`);
    expect(throughput.direction).toBe('higher');
    expect(await value(throughput, work)).toBeGreaterThan(1);

    await server.stop();
    await expect.poll(() => latency.endEpoch(epoch)).toBeUndefined();
    await expect.poll(() => commands.endEpoch(epoch)).toBeUndefined();
  });
});

describe('memcached', () => {
  it(
    'tells latency, throughput and hits, also when it comes back',
    needsServer('memcached', 'memcached'),
    async () => {
      const server = await running(startMemcached);
      const client = connect(server.socket);
      cleanup.push(() => void client.destroy());
      const work = async (): Promise<void> => {
        client.write('set a 0 0 1\r\nx\r\nget a\r\nget a\r\nget b\r\nget c\r\n');
        await new Promise((resolve) => client.once('data', resolve));
      };
      const latency = await opened(`memcached://${server.socket}`);
      expect(await value(latency, work)).toBeGreaterThan(0);
      const throughput = await opened(`memcached://${server.socket}?by=throughput`);
      expect(await value(throughput, work)).toBeGreaterThan(0);
      const hits = await opened(`memcached://${server.socket}?by=hits`);
      expect(await value(hits, work)).toBeCloseTo(50);
      await server.stop();
      await expect.poll(() => latency.endEpoch(epoch)).toBeUndefined();
      await expect.poll(() => hits.endEpoch(epoch)).toBeUndefined();
    },
  );
});

describe('PostgreSQL', () => {
  it('tells throughput, hits and latency', needsServer('postgresql', 'initdb'), async () => {
    const server = await running(startPostgresql);
    const url = `postgresql://exopool@localhost/postgres?host=${encodeURIComponent(server.folder)}`;
    const client = new Client({ connectionString: url });
    await client.connect();
    cleanup.push(() => client.end());
    await client.query('CREATE TABLE t AS SELECT generate_series(1, 1000) AS n');
    const work = (): Promise<unknown> => client.query('SELECT sum(n), pg_stat_force_next_flush() FROM t');
    const throughput = await opened(url);
    expect(throughput).toMatchObject({ direction: 'higher', name: 'PostgreSQL transactions a second' });
    await expect.poll(async () => (await value(throughput, work)) > 0).toBe(true);
    const hits = await opened(`${url}&by=hits`);
    expect(await value(hits, work)).toBeGreaterThan(1);
    const latency = await opened(`${url}&by=latency`);
    expect(await value(latency, work)).toBeGreaterThan(0);
    // An extension that is not there is no answer, and no error.
    const statements = await opened(`${url}&by=statements`);
    expect(await statements.endEpoch(epoch)).toBeUndefined();
    await client.end();
    await server.stop();
    await expect.poll(() => throughput.endEpoch(epoch)).toBeUndefined();
  });
});
