/**
 * The latency of a Redis server, p99 in milliseconds per epoch.
 *
 * It is measured by PING. Redis serves one command at a time, so a PING waits behind every command that waits for a
 * page, and a server that misses its memory answers late. Reading keys would measure the same, but would bring back
 * pages by itself that nobody else asked for.
 */
import { Redis } from 'ioredis';
import { parseEndpoint } from '@exopool/shared';
import type { PerformanceMetric } from './performance-metric.js';
import { SortedWindow } from './sorted-window.js';

/** Twenty a second: enough for the tail of an epoch, too few to be felt. */
const probeIntervalMs = 50;
/** A server that is away is looked for once a second. */
const reconnectMs = 1000;

/** @param endpoint HOST:PORT. @throws ExopoolError `EXOPOOL_INVALID` for anything else. */
export function redisLatency(endpoint: string): PerformanceMetric {
  const { host, port } = parseEndpoint(endpoint);
  const redis = new Redis({
    host,
    port,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    retryStrategy: () => reconnectMs,
  });
  // A server that is away gives no points; the connection is tried again by itself.
  redis.on('error', () => undefined);
  const latencies = new SortedWindow(Infinity);
  const probe = async (): Promise<void> => {
    if (redis.status !== 'ready') return;
    const startMs = performance.now();
    await redis.ping();
    latencies.add(startMs, performance.now() - startMs);
  };
  const timer = setInterval(() => void probe().catch(() => undefined), probeIntervalMs);
  return {
    name: 'Redis PING p99, ms',
    direction: 'lower',
    defaultSlack: 1,
    endEpoch: () => {
      const value = latencies.percentile(0.99);
      latencies.clear();
      return value;
    },
    close: () => {
      clearInterval(timer);
      redis.disconnect();
    },
  };
}
