/**
 * Parses pgbench's log of a run, with one line per transaction:
 *
 *   client  number  latency, µs  script  end, s of Unix time  end, µs of that second  [schedule lag, µs]
 */
import { Latencies } from '@exopool/demo/latencies';
import { ExopoolError } from '@exopool/shared';
import { windowOf, type LoadWindow, type LoadPoint } from './window.js';

/** @throws ExopoolError `EXOPOOL_INTERNAL` for any other line, or an empty log. */
export function pgbenchWindow(log: string): LoadWindow {
  const all = new Latencies();
  const bySecond = new Map<number, Latencies>();
  let firstUs = Infinity;
  let lastUs = -Infinity;
  for (const line of log.split('\n')) {
    if (line === '') continue;
    const [, , latencyUs = NaN, , second = NaN, microsecond = NaN] = line.split(' ').map(Number);
    const endUs = second * 1e6 + microsecond;
    if (Number.isNaN(latencyUs) || Number.isNaN(endUs)) throw unknown(line);
    all.record(latencyUs / 1000);
    firstUs = Math.min(firstUs, endUs - latencyUs);
    lastUs = Math.max(lastUs, endUs);
    const ofSecond = bySecond.get(second) ?? new Latencies();
    bySecond.set(second, ofSecond);
    ofSecond.record(latencyUs / 1000);
  }
  if (all.count === 0) throw unknown('');
  return windowOf(all, all.count, (lastUs - firstUs) / 1e6, pointsOf(bySecond));
}

/** The first and the last second are incomplete. */
function pointsOf(bySecond: ReadonlyMap<number, Latencies>): LoadPoint[] {
  return [...bySecond]
    .sort(([a], [b]) => a - b)
    .slice(1, -1)
    .map(([second, latencies]) => ({
      atMs: (second + 1) * 1000,
      opsPerSecond: latencies.count,
      p99Us: latencies.percentileUs(99),
    }));
}

function unknown(line: string): ExopoolError {
  return new ExopoolError('EXOPOOL_INTERNAL', `pgbench's log is not understood: ${JSON.stringify(line)}`);
}
