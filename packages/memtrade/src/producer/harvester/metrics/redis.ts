/**
 * How well a Redis server does.
 *
 *   latency    PING, p99 in milliseconds. Redis serves one command at a time, so a PING waits behind every command
 *              that waits for a page. Reading keys would measure the same, but would bring back pages by itself that
 *              nobody else asked for.
 *   commands   what a command took, mean, microseconds, from INFO commandstats: page faults are in it, waiting is not
 *   throughput commands a second, from INFO stats; for loads that go as fast as they can
 */
import { Redis } from 'ioredis';
import type { MetricTarget } from './metric-target.js';
import type { PerformanceMetric } from './performance-metric.js';
import { CounterRate, MeanDelta, polledMetric } from './polled-metric.js';
import { probedMetric } from './probed-metric.js';

export const redisFigures = ['latency', 'commands', 'throughput'] as const;

/** A server that is away is looked for once a second. */
const reconnectMs = 1000;
/** Our own questions, and what is asked by whoever else watches. */
const watchersCommands = new Set(['info', 'ping', 'latency|histogram', 'client|setname', 'config|get']);

export function redisMetric(target: MetricTarget, by: (typeof redisFigures)[number]): PerformanceMetric {
  const redis = new Redis({
    ...('path' in target ? { path: target.path } : { host: target.host, port: target.port }),
    ...(target.user === undefined ? {} : { username: target.user }),
    ...(target.password === undefined ? {} : { password: target.password }),
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => reconnectMs,
  });
  // A server that is away gives no points; the connection is tried again by itself.
  redis.on('error', () => undefined);
  const close = (): void => redis.disconnect();
  if (by === 'latency') {
    const ping = async (): Promise<boolean> => redis.status === 'ready' && (await redis.ping()).length > 0;
    return probedMetric('Redis PING p99, ms', ping, close);
  }
  if (by === 'commands') {
    const mean = new MeanDelta();
    const read = async (): Promise<number | undefined> => {
      const { microseconds, calls } = commandTotals(await redis.info('commandstats'));
      return mean.next(microseconds, calls);
    };
    return polledMetric({
      name: 'Redis command mean, µs',
      direction: 'lower',
      defaultSlack: 0.5,
      read,
      close,
    });
  }
  const rate = new CounterRate();
  const read = async (): Promise<number | undefined> => {
    const processed = /^total_commands_processed:(\d+)/m.exec(await redis.info('stats'))?.[1];
    return processed === undefined ? undefined : rate.next(Number(processed), performance.now());
  };
  // A tenth of a small machine's rate comes and goes with its neighbours; the threshold is a share of the baseline.
  return polledMetric({
    name: 'Redis commands a second',
    direction: 'higher',
    defaultSlack: 50,
    read,
    close,
  });
}

/** Sums the lines `cmdstat_get:calls=7,usec=42,…`, without those of watchers. */
export function commandTotals(info: string): { readonly microseconds: number; readonly calls: number } {
  let microseconds = 0;
  let calls = 0;
  for (const [, name = '', count, time] of info.matchAll(/^cmdstat_([^:]+):calls=(\d+),usec=(\d+)/gm)) {
    if (watchersCommands.has(name)) continue;
    calls += Number(count);
    microseconds += Number(time);
  }
  return { microseconds, calls };
}
