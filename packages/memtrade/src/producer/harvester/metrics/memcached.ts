/**
 * The performance of a memcached server.
 *
 *   latency    p99 of `version` in milliseconds: it queues behind all that its worker thread waits for
 *   throughput reads and writes a second, from `stats`; for closed-loop loads
 *   hits       share of reads that found their item, from `stats`, per cent
 */
import type { MetricTarget } from './metric-target.js';
import { LineClient } from './line-client.js';
import type { PerformanceMetric } from './performance-metric.js';
import { CounterRate, MeanDelta, polledMetric } from './polled-metric.js';
import { probedMetric } from './probed-metric.js';

export const memcachedFigures = ['latency', 'throughput', 'hits'] as const;

export function memcachedMetric(
  target: MetricTarget,
  by: (typeof memcachedFigures)[number],
): PerformanceMetric {
  const client = new LineClient(target);
  const close = (): void => client.close();
  if (by === 'latency') {
    const probe = async (): Promise<boolean> => (await client.ask('version', /^VERSION /)) !== undefined;
    return probedMetric('memcached version p99, ms', probe, close);
  }
  const stats = async (): Promise<(name: string) => number> => {
    const lines = (await client.ask('stats', /^END$/)) ?? [];
    const byName = new Map(lines.map((line) => [line.split(' ')[1], Number(line.split(' ')[2])]));
    return (name) => byName.get(name) ?? Number.NaN;
  };
  if (by === 'hits') {
    const mean = new MeanDelta();
    const read = async (): Promise<number | undefined> => {
      const figure = await stats();
      return mean.next(100 * figure('get_hits'), figure('cmd_get'));
    };
    return polledMetric({ name: 'memcached hits, %', direction: 'higher', defaultSlack: 0.1, read, close });
  }
  const rate = new CounterRate();
  const read = async (): Promise<number | undefined> => {
    const figure = await stats();
    return rate.next(figure('cmd_get') + figure('cmd_set') + figure('cmd_touch'), performance.now());
  };
  const name = 'memcached commands a second';
  return polledMetric({ name, direction: 'higher', defaultSlack: 50, read, close });
}
