/** Kills a producer under load, and measures the share of hits and the latency of gets before and after. */
import { Latencies } from '@exopool/demo/latencies';
import { SlabProducer } from '../harvest/slab-producer.js';
import { leasedCache } from './contenders/exopool.js';
import type { CacheContender } from './contenders/contender.js';
import { drawKeys, fill } from './measure.js';

const records = 20_000;
const valueBytes = 1024;
const loops = 16;
const slotMs = 50;

export interface LossPoint {
  /** Seconds since the producer was killed. */
  readonly ms: number;
  readonly hitShare: number;
  readonly p99Us: number;
}

export interface Loss {
  readonly points: readonly LossPoint[];
  readonly longestMs: number;
  readonly failures: number;
}

export async function measureLoss(seconds: number, signal: AbortSignal): Promise<Loss> {
  const [killed, stays] = [await SlabProducer.start(1, signal), await SlabProducer.start(1, signal)];
  try {
    const lease = (producer: SlabProducer): Promise<CacheContender> =>
      leasedCache(producer, 'aes-128-gcm', 1);
    const [first, second] = [await lease(killed), await lease(stays)];
    // Calls alternate between the two caches, so half of them lose their producer.
    await fill(first, records, valueBytes);
    await fill(second, records, valueBytes);
    const keys = drawKeys(records);
    const slots = new Map<number, { hits: number; calls: number; latencies: Latencies }>();
    let [longestMs, failures, at] = [0, 0, 0];
    const killAtMs = performance.now() + seconds * 1000;
    const endMs = killAtMs + seconds * 1000;
    const loop = async (): Promise<void> => {
      while (performance.now() < endMs) {
        const startMs = performance.now();
        const cache = at++ % 2 === 0 ? first : second;
        const value = await cache.get(keys[at % keys.length]!).catch(() => (failures++, undefined));
        const tookMs = performance.now() - startMs;
        longestMs = Math.max(longestMs, tookMs);
        const slot = Math.floor((performance.now() - killAtMs) / slotMs);
        const sums = slots.get(slot) ?? { hits: 0, calls: 0, latencies: new Latencies() };
        slots.set(slot, sums);
        sums.calls += 1;
        sums.hits += value === undefined || value === null ? 0 : 1;
        sums.latencies.record(tookMs);
        // A miss returns at once, so the loop must let timers run.
        if (value === undefined) await new Promise(setImmediate);
      }
    };
    const timer = setTimeout(() => void killed.close(), seconds * 1000);
    await Promise.all(Array.from({ length: loops }, loop));
    clearTimeout(timer);
    const points = [...slots]
      .sort(([a], [b]) => a - b)
      .map(([slot, { hits, calls, latencies }]) => ({
        ms: slot * slotMs,
        hitShare: hits / calls,
        p99Us: latencies.percentileUs(99),
      }));
    return { points, longestMs, failures };
  } finally {
    await killed.close();
    await stays.close();
  }
}
