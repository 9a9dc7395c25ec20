/** Closed loops that keep a number of calls in flight for some time, and count and time them. */
import { Latencies } from '@exopool/demo/latencies';
import { percentilesOf, type Percentiles } from '../statistics.js';

export interface Driven {
  readonly calls: number;
  readonly seconds: number;
  readonly percentiles: Percentiles | undefined;
}

export interface DriveOptions {
  readonly seconds: number;
  /** Calls in flight. Synchronous calls ignore it. */
  readonly inFlight: number;
  /** The latency of one in this many calls is taken, since reading the clock costs as much as a read from memory. */
  readonly stride: number;
}

/** Calls between two checks of the clock, if not every latency is taken. */
export function driveSync(call: () => void, { seconds, stride }: DriveOptions): Driven {
  const latencies = new Latencies();
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let calls = 0;
  let nowMs = startMs;
  while (nowMs < endMs) {
    for (let left = stride - 1; left > 0; left -= 1) call();
    const beforeMs = performance.now();
    call();
    nowMs = performance.now();
    latencies.record(nowMs - beforeMs);
    calls += stride;
  }
  return { calls, seconds: (nowMs - startMs) / 1000, percentiles: percentilesOf(latencies) };
}

export async function driveAsync(call: () => Promise<void>, options: DriveOptions): Promise<Driven> {
  const { seconds, inFlight, stride } = options;
  const latencies = new Latencies();
  const startMs = performance.now();
  const endMs = startMs + seconds * 1000;
  let calls = 0;
  let nowMs = startMs;
  const loop = async (): Promise<void> => {
    while (nowMs < endMs) {
      calls += 1;
      const beforeMs = calls % stride === 0 ? performance.now() : undefined;
      await call();
      if (beforeMs === undefined) continue;
      nowMs = performance.now();
      latencies.record(nowMs - beforeMs);
    }
  };
  await Promise.all(Array.from({ length: inFlight }, loop));
  return { calls, seconds: (performance.now() - startMs) / 1000, percentiles: percentilesOf(latencies) };
}
