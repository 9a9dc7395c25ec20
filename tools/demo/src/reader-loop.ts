/**
 * Closed-loop readers: a fixed number of callers, each of which waits for its value before it reads the next key, like
 * the request handlers of a service. So throughput follows from latency.
 */
import type { Store } from '@exopool/bpf-storage';
import { digest, type KeyDigests } from './key-digests.js';
import { TierLatencies } from './statistics.js';
import type { TierProbe } from './tier-probe.js';

/** Callers at a time: enough to keep a disk busy, and few enough that latency is not mostly time in a queue. */
const callers = 4;
/** One of this many values is compared with its digest. Hashing every value would take a fifth of a memory hit. */
const checkEvery = 8;

export interface ReadCounters {
  checked: number;
  wrong: number;
}

export class ReaderLoop {
  /** Latencies since the last report. */
  readonly recent = new TierLatencies();
  readonly counters: ReadCounters = { checked: 0, wrong: 0 };
  readonly #store: Store;
  readonly #probe: TierProbe;
  readonly #data: KeyDigests;
  readonly #nextItem: () => number;
  #reads = 0;

  /** @param nextItem draws the index of the next key to read. */
  constructor(store: Store, probe: TierProbe, data: KeyDigests, nextItem: () => number) {
    this.#store = store;
    this.#probe = probe;
    this.#data = data;
    this.#nextItem = nextItem;
  }

  /**
   * Reads for `seconds`, or until the signal aborts.
   * @param latencies to which this slice adds.
   * @returns reads per second.
   */
  async run(seconds: number, latencies: TierLatencies, signal: AbortSignal): Promise<number> {
    const startMs = performance.now();
    const endMs = startMs + seconds * 1000;
    const before = this.#reads;
    const caller = async (): Promise<void> => {
      while (performance.now() < endMs && !signal.aborted) await this.#readOne(latencies);
    };
    await Promise.all(Array.from({ length: callers }, caller));
    return (this.#reads - before) / ((performance.now() - startMs) / 1000);
  }

  async #readOne(latencies: TierLatencies): Promise<void> {
    const item = this.#nextItem();
    const key = this.#data.keys[item]!;
    const startMs = performance.now();
    const value = await this.#store.get(key);
    const elapsedMs = performance.now() - startMs;
    const tier = this.#probe.takeTier(key);
    latencies.record(tier, elapsedMs);
    this.recent.record(tier, elapsedMs);
    this.#reads += 1;
    if (this.#reads % checkEvery !== 0) return;
    this.counters.checked += 1;
    if (value === undefined || !digest(value).equals(this.#data.digests[item]!)) this.counters.wrong += 1;
  }
}
