/**
 * Observes requests to estimate the effect of more or less memory: the miss-ratio curve of the live keys, the rate of
 * requests, and the duration of a hit.
 */
import { hashKey } from './mrc/key-hash.js';
import type { MissRatioCurve } from './mrc/miss-ratio-curve.js';
import { Shards } from './mrc/shards.js';

/** Weight of the newest in running means. */
const newestShare = 0.05;
/** A value's length before any was seen. */
const bytesAtFirst = 1024;

export interface Demand {
  readonly curve: MissRatioCurve;
  /** Since the last look. */
  readonly requestsPerSecond: number;
  readonly hitSeconds: number;
  /** Requests that the curve is made of. */
  readonly uses: number;
}

export class DemandSampler {
  readonly #shards = new Shards();
  readonly #now: () => number;
  #meanBytes = bytesAtFirst;
  #hitSeconds = 0;
  #uses = 0;
  #lookedAtMs: number;

  /** @param now in milliseconds. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
    this.#lookedAtMs = now();
  }

  /** Somebody asks for a key. `bytes` of its value, when they are known. A string stands for a byte a character. */
  use(key: Buffer | string, bytes?: number): void {
    this.#uses++;
    this.#shards.use(hashKey(key), bytes ?? this.#meanBytes);
  }

  /** A value is stored, usually after a miss: its length is known now. */
  put(key: Buffer | string, bytes: number): void {
    this.#meanBytes += newestShare * (bytes - this.#meanBytes);
    this.#shards.resize(hashKey(key), bytes);
  }

  hit(seconds: number): void {
    this.#hitSeconds = this.#hitSeconds === 0 ? seconds : mixIn(this.#hitSeconds, seconds);
  }

  look(): Demand {
    const nowMs = this.#now();
    const requestsPerSecond = (this.#uses * 1000) / Math.max(1, nowMs - this.#lookedAtMs);
    this.#lookedAtMs = nowMs;
    this.#uses = 0;
    return {
      curve: this.#shards.curve(),
      requestsPerSecond,
      hitSeconds: this.#hitSeconds,
      uses: this.#shards.uses,
    };
  }
}

function mixIn(mean: number, newest: number): number {
  return mean + newestShare * (newest - mean);
}
