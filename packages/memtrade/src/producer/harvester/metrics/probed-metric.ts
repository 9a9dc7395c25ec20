/** A metric from probes: a cheap request twenty times a second, and the p99 of its times in each epoch. */
import { SortedWindow } from '../sorted-window.js';
import type { PerformanceMetric } from './performance-metric.js';

/** Enough for the tail of an epoch, too few to be felt. */
const probeIntervalMs = 50;
/** Probes that wait for an answer: ten seconds of them. A server that stands still for longer is not asked more. */
export const underWayMax = 200;
/** Above 1 ms a server that answers probes in 0.1 ms is surely not itself; a busy small machine makes jumps below it. */
const slackMs = 1;

/**
 * @param probe sends the request and resolves when it is answered; `false`: the server is away, no point. One probe
 *   that is still on its way does not keep the next from being sent: a server that stands still gets slow points.
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
