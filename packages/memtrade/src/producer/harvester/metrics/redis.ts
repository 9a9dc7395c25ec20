/**
 * The performance of a Redis server.
 *
 *   latency    p99 of PING in milliseconds. Redis serves one command at a time, so a PING queues behind every command
 *              that waits for a page. Reading keys would measure the same, but would itself bring back idle pages.
 *   commands   mean duration of a command in microseconds, from INFO commandstats: with page faults, without queueing
 *   throughput commands a second, from INFO stats; for closed-loop loads
 */
import { Redis } from 'ioredis';
import type { MetricTarget } from './metric-target.js';
import type { PerformanceMetric } from './performance-metric.js';
import { CounterRate, MeanDelta, polledMetric } from './polled-metric.js';
import { probedMetric } from './probed-metric.js';

export const redisFigures = ['latency', 'commands', 'throughput'] as const;

/** Interval of attempts to reach a server that is away. */
const reconnectMs = 1000;
/** Commands of this metric and of other monitors; they are no load. */
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
  // A server that is away gives no points; the client reconnects by itself.
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
  // On a small virtual machine the rate varies by more than this; the threshold is a share of the baseline.
  return polledMetric({
    name: 'Redis commands a second',
    direction: 'higher',
    defaultSlack: 50,
    read,
    close,
  });
}

/** Sums the lines `cmdstat_get:calls=7,usec=42,…`, without the commands of monitors. */
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
