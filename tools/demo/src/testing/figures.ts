/** Figures of a successful run, for tests. */
import type { ConsumerFigures } from '../messages.js';
import type { DemoResult } from '../result.js';
import type { Tier, TierSummary } from '../statistics.js';

export function tierSummary(counts: Partial<Record<Tier, number>> = {}): TierSummary {
  const { memory = 60, remote = 30, store = 10 } = counts;
  const summary = (count: number, p50Us: number): { count: number; p50Us: number; p99Us: number } => ({
    count,
    p50Us: count === 0 ? 0 : p50Us,
    p99Us: count === 0 ? 0 : p50Us * 2,
  });
  return {
    memory: summary(memory, 1),
    remote: summary(remote, 50),
    store: summary(store, 200),
    all: summary(memory + remote + store, 20),
  };
}

export function consumerFigures(counts: Partial<Record<Tier, number>> = {}): ConsumerFigures {
  const modes = {
    without: { readsPerSecond: [1000, 1100], latency: tierSummary({ remote: 0, store: 40 }) },
    with: { readsPerSecond: [2000, 2300], latency: tierSummary(counts) },
  };
  return {
    slice: undefined,
    readsPerSecond: 1234,
    recent: tierSummary(),
    disks: { own: modes, limited: modes },
    leases: 2,
    leasedBytes: 128 << 20,
    price: 0.005,
    charged: 0.1,
    valuesChecked: 100,
    valuesWrong: 0,
    lookups: { pread: 500, 'page-cache-bpf': 50 },
    comparison: { engine: 'page-cache-bpf', keys: 4096, present: 2048, differences: 0 },
    done: true,
  };
}

export function demoResult(): DemoResult {
  const { disks, comparison } = consumerFigures();
  const latency = { count: 500, p50Us: 120, p99Us: 300 };
  return {
    data: { name: 'test data', entries: 60_000, bytes: 50 << 20 },
    engine: 'pread',
    cacheBytes: 5 << 20,
    leasedBytes: 128 << 20,
    disks,
    limitedSkipped: undefined,
    comparison,
    market: { leases: 2, price: 0.005, charged: 0.1 },
    lookups: { pread: 500 },
    redis: {
      usedBytes: 256 << 20,
      recent: latency,
      windows: { before: latency, during: { ...latency, p50Us: 125 }, beside: latency },
    },
    redisSkipped: undefined,
    harvestedBytes: 200 << 20,
    checks: { values_correct: true, engines_equal: { skipped: 'no root' } },
  };
}
