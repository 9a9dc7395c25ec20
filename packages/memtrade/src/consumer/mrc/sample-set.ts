/**
 * A set of at most a fixed number of sampled keys, in typed arrays. It finds a key by its hash, and the greatest hash.
 *
 *   table   hash -> item, open addressing, linear probing, half full at most
 *   heap    items, the greatest hash first
 */
import type { KeyHash } from './key-hash.js';

export class SampleSet {
  readonly #capacity: number;
  readonly #mask: number;
  readonly #high: Uint32Array;
  readonly #low: Uint32Array;
  /** Item + 1; 0 is empty. */
  readonly #table: Int32Array;
  readonly #heap: Int32Array;
  readonly #free: Int32Array;
  #count = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    const slots = 2 ** Math.ceil(Math.log2(capacity * 2));
    this.#mask = slots - 1;
    this.#high = new Uint32Array(capacity);
    this.#low = new Uint32Array(capacity);
    this.#table = new Int32Array(slots);
    this.#heap = new Int32Array(capacity);
    this.#free = Int32Array.from({ length: capacity }, (_, index) => capacity - 1 - index);
  }

  get memoryBytes(): number {
    const arrays = [this.#high, this.#low, this.#table, this.#heap, this.#free];
    return arrays.reduce((sum, each) => sum + each.byteLength, 0);
  }

  get count(): number {
    return this.#count;
  }

  get isFull(): boolean {
    return this.#count === this.#capacity;
  }

  /** @returns the item, or -1 if the key is absent. */
  find({ high, low }: KeyHash): number {
    for (let at = high & this.#mask; ; at = (at + 1) & this.#mask) {
      const item = this.#table[at]! - 1;
      if (item < 0) return -1;
      if (this.#high[item] === high && this.#low[item] === low) return item;
    }
  }

  /** Adds a key. The set must have room and must not contain the key. @returns its item. */
  insert({ high, low }: KeyHash): number {
    const item = this.#free[this.#capacity - 1 - this.#count]!;
    this.#high[item] = high;
    this.#low[item] = low;
    let at = high & this.#mask;
    while (this.#table[at] !== 0) at = (at + 1) & this.#mask;
    this.#table[at] = item + 1;
    this.#siftUp(this.#count++, item);
    return item;
  }

  /** The greatest hash. The set must not be empty. */
  get greatest(): number {
    return this.#high[this.#heap[0]!]!;
  }

  /** Removes the key with the greatest hash. @returns its item, which may be used again. */
  removeGreatest(): number {
    const item = this.#heap[0]!;
    this.#count--;
    if (this.#count > 0) this.#siftDown(this.#heap[this.#count]!);
    this.#free[this.#capacity - 1 - this.#count] = item;
    this.#unlink(item);
    return item;
  }

  /** Closes the gap, so that no search ends there too early. */
  #unlink(item: number): void {
    let gap = this.#high[item]! & this.#mask;
    while (this.#table[gap] !== item + 1) gap = (gap + 1) & this.#mask;
    for (let at = (gap + 1) & this.#mask; this.#table[at] !== 0; at = (at + 1) & this.#mask) {
      const home = this.#high[this.#table[at]! - 1]! & this.#mask;
      if (((at - home) & this.#mask) < ((at - gap) & this.#mask)) continue;
      this.#table[gap] = this.#table[at]!;
      gap = at;
    }
    this.#table[gap] = 0;
  }

  #siftUp(from: number, item: number): void {
    let at = from;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (this.#high[this.#heap[parent]!]! >= this.#high[item]!) break;
      this.#heap[at] = this.#heap[parent]!;
      at = parent;
    }
    this.#heap[at] = item;
  }

  #siftDown(item: number): void {
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= this.#count) break;
      const other = child + 1;
      if (other < this.#count && this.#high[this.#heap[other]!]! > this.#high[this.#heap[child]!]!)
        child = other;
      if (this.#high[this.#heap[child]!]! <= this.#high[item]!) break;
      this.#heap[at] = this.#heap[child]!;
      at = child;
    }
    this.#heap[at] = item;
  }
}
