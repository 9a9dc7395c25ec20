/** A metric from probes: sends a cheap request twenty times a second; the p99 of its latency is the value of an epoch. */
import { SortedWindow } from '../sorted-window.js';
import type { PerformanceMetric } from './performance-metric.js';

/** Often enough for the tail of an epoch, and too rarely to load the server. */
const probeIntervalMs = 50;
/** Probes in flight: ten seconds of them. A server that hangs for longer gets no more. */
export const underWayMax = 200;
/** Servers answer probes in 0.1 ms. On a busy small machine latency varies by less than this without any harvesting. */
const slackMs = 1;

/**
 * @param probe sends the request and resolves with its answer; with `false` when the server is away, which gives no
 *   point. Probes do not wait for each other, so a server that hangs gets slow points.
 */
export function probedMetric(
  name: string,
  probe: () => Promise<boolean>,
  close: () => void,
): PerformanceMetric {
  const latencies = new SortedWindow(Infinity);
  let underWay = 0;
  const ask = async (): Promise<void> => {
    if (underWay >= underWayMax) return;
    const startMs = performance.now();
    underWay += 1;
    try {
      if (await probe()) latencies.add(0, performance.now() - startMs);
    } finally {
      underWay -= 1;
    }
  };
  const timer = setInterval(() => void ask().catch(() => undefined), probeIntervalMs);
  return {
    name,
    direction: 'lower',
    defaultSlack: slackMs,
    endEpoch: () => {
      const value = latencies.percentile(0.99);
      latencies.clear();
      return value;
    },
    close: () => {
      clearInterval(timer);
      close();
    },
  };
}
