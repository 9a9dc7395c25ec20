/**
 * Writes values to leased memory and reads them back at a low rate. Its counts show an operator whether values come
 * back unchanged, and how long that takes.
 */
import { createHash, randomBytes } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CacheTier } from '@exopool/shared';

/** Ten batches of 16 values of 1 KiB a second: 160 KiB/s, enough for metrics and too little to disturb others. */
const intervalMs = 100;
const batchValues = 16;
const valueBytes = 1024;

export interface ProbeCounts {
  /** Values that came back unchanged. */
  readonly good: number;
  /** Values that did not come back: never stored, or lost since. */
  readonly missing: number;
  /** Values that came back changed. Must stay 0. */
  readonly wrong: number;
  /** Total time of all batch reads in seconds, and their number. */
  readonly readSeconds: number;
  readonly reads: number;
}

export class Probe {
  readonly #tier: CacheTier;
  readonly #stop = new AbortController();
  readonly #running: Promise<void>;
  #counts: ProbeCounts = { good: 0, missing: 0, wrong: 0, readSeconds: 0, reads: 0 };

  constructor(tier: CacheTier) {
    this.#tier = tier;
    this.#running = this.#run();
  }

  get counts(): ProbeCounts {
    return this.#counts;
  }

  async close(): Promise<void> {
    this.#stop.abort();
    await this.#running;
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      await this.#round();
      await sleep(intervalMs, undefined, { signal: this.#stop.signal, ref: false }).catch(() => undefined);
    }
  }

  async #round(): Promise<void> {
    const seed = randomBytes(16);
    const keys = Array.from({ length: batchValues }, (_, index) => Buffer.from(`probe ${index}`));
    const values = keys.map((key) => valueOf(seed, key));
    await this.#tier.putMany(keys.map((key, index) => [key, values[index]!] as const));
    const start = performance.now();
    const got = await this.#tier.getMany(keys);
    const readSeconds = (performance.now() - start) / 1000;
    const good = got.filter((value, index) => value?.equals(values[index]!) === true).length;
    const missing = got.filter((value) => value === undefined).length;
    const before = this.#counts;
    this.#counts = {
      good: before.good + good,
      missing: before.missing + missing,
      wrong: before.wrong + got.length - good - missing,
      readSeconds: before.readSeconds + readSeconds,
      reads: before.reads + 1,
    };
  }
}

/** Bytes that no other program writes by chance, different in each round. */
function valueOf(seed: Buffer, key: Buffer): Buffer {
  return createHash('shake256', { outputLength: valueBytes }).update(seed).update(key).digest();
}
