/**
 * A miss-ratio curve from a small sample of the keys, computed online (SHARDS with a fixed sample size, FAST'15).
 *
 * A key belongs to the sample if its hash is below a threshold, so either all uses of a key are seen or none. Distances
 * within the sample are too short by the sampling rate, and are divided by it. The sample has a fixed size: when it is
 * full, the key with the greatest hash leaves, and its hash is the new threshold. So the rate falls as more keys come.
 *
 * A sampled use represents 1/rate uses. Their sum differs from the true number of uses, since a hot key is either in
 * the sample or not. The difference is counted as uses at the shortest distance (SHARDS-adj in the paper).
 *
 * Memory is a few typed arrays: 896 KiB at the default size, whatever the load.
 */
import type { KeyHash } from './key-hash.js';
import { DistanceHistogram, type MissRatioCurve } from './miss-ratio-curve.js';
import { RecencyTree } from './recency-tree.js';
import { SampleSet } from './sample-set.js';

/** 8192 keys gave errors of a hundredth and less in the paper. */
const samplesDefault = 8192;
const slotsPerSample = 4;
const hashEnd = 2 ** 32;

export class Shards {
  readonly #samples: SampleSet;
  readonly #recency: RecencyTree;
  readonly #slots: Int32Array;
  readonly #histogram = new DistanceHistogram();
  /** Keys with a hash below it are sampled. */
  #threshold = hashEnd;
  #uses = 0;
  #represented = 0;

  constructor(samplesMax = samplesDefault) {
    this.#samples = new SampleSet(samplesMax);
    this.#slots = new Int32Array(samplesMax);
    this.#recency = new RecencyTree(samplesMax * slotsPerSample, (item, slot) => (this.#slots[item] = slot));
  }

  get uses(): number {
    return this.#uses;
  }

  /** Share of the keys that is sampled now. */
  get rate(): number {
    return this.#threshold / hashEnd;
  }

  get memoryBytes(): number {
    const parts = [this.#samples, this.#recency, this.#histogram];
    return parts.reduce((sum, part) => sum + part.memoryBytes, this.#slots.byteLength);
  }

  /** @param bytes of the value under the key. */
  use(hash: KeyHash, bytes: number): void {
    this.#uses++;
    if (!this.#isSampled(hash)) return;
    const weight = 1 / this.rate;
    this.#represented += weight;
    const item = this.#samples.find(hash);
    if (item < 0) {
      this.#enter(hash, bytes);
      return;
    }
    const between = this.#recency.weightAfter(this.#slots[item]!);
    this.#histogram.add(between / this.rate + bytes, weight);
    this.#recency.remove(this.#slots[item]!);
    this.#slots[item] = this.#recency.append(item, bytes);
  }

  /** Corrects the length of a value that was just used. Does not count as a use. */
  resize(hash: KeyHash, bytes: number): void {
    const item = this.#isSampled(hash) ? this.#samples.find(hash) : -1;
    if (item < 0) return;
    this.#recency.remove(this.#slots[item]!);
    this.#slots[item] = this.#recency.append(item, bytes);
  }

  /** The curve of all requests so far. */
  curve(): MissRatioCurve {
    const adjusted = new DistanceHistogram();
    adjusted.addAll(this.#histogram);
    adjusted.add(0, this.#uses - this.#represented);
    return adjusted.curve(this.#uses);
  }

  #isSampled(hash: KeyHash): boolean {
    return hash.high < this.#threshold;
  }

  #enter(hash: KeyHash, bytes: number): void {
    if (this.#samples.isFull) {
      this.#threshold = this.#samples.greatest;
      // Several keys may have the greatest hash.
      while (this.#samples.count > 0 && this.#samples.greatest >= this.#threshold) {
        this.#recency.remove(this.#slots[this.#samples.removeGreatest()]!);
      }
      if (!this.#isSampled(hash)) return;
    }
    const item = this.#samples.insert(hash);
    this.#slots[item] = this.#recency.append(item, bytes);
  }
}
