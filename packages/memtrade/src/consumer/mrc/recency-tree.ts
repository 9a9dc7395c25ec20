/**
 * Items in the order of their last use, with weights. It answers: what is the weight of all items used since this one?
 *
 * A Fenwick tree over a timeline of slots: a use takes the next slot, and the item's older slot becomes empty. A prefix
 * sum costs log2(slots). When the timeline is full, the live items move to its start, in their order. With several
 * slots for each item that is rare.
 */
export class RecencyTree {
  readonly #slots: number;
  /** Partial sums; Fenwick trees count from 1. */
  readonly #sums: Float64Array;
  readonly #owners: Int32Array;
  readonly #weights: Float64Array;
  readonly #moved: (item: number, slot: number) => void;
  #next = 0;
  #total = 0;

  /**
   * @param slots must exceed the number of items; four times as many are good.
   * @param moved called with the new slot of each item when the timeline is compacted.
   */
  constructor(slots: number, moved: (item: number, slot: number) => void) {
    this.#slots = slots;
    this.#sums = new Float64Array(slots + 1);
    this.#owners = new Int32Array(slots).fill(-1);
    this.#weights = new Float64Array(slots);
    this.#moved = moved;
  }

  /** Weight of all items. */
  get total(): number {
    return this.#total;
  }

  get memoryBytes(): number {
    return this.#sums.byteLength + this.#owners.byteLength + this.#weights.byteLength;
  }

  /** Records a use of `item` now. @returns its slot. */
  append(item: number, weight: number): number {
    if (this.#next === this.#slots) this.#compact();
    const slot = this.#next++;
    this.#owners[slot] = item;
    this.#weights[slot] = weight;
    this.#add(slot, weight);
    return slot;
  }

  remove(slot: number): void {
    this.#owners[slot] = -1;
    this.#add(slot, -this.#weights[slot]!);
  }

  /** Weight of all items used after the item in `slot`. */
  weightAfter(slot: number): number {
    let before = 0;
    for (let at = slot + 1; at > 0; at -= at & -at) before += this.#sums[at]!;
    return this.#total - before;
  }

  #add(slot: number, weight: number): void {
    this.#total += weight;
    for (let at = slot + 1; at <= this.#slots; at += at & -at) this.#sums[at]! += weight;
  }

  #compact(): void {
    let live = 0;
    for (let slot = 0; slot < this.#slots; slot++) {
      const item = this.#owners[slot]!;
      if (item < 0) continue;
      this.#owners[live] = item;
      this.#weights[live] = this.#weights[slot]!;
      this.#moved(item, live++);
    }
    this.#owners.fill(-1, live);
    this.#sums.fill(0);
    this.#total = 0;
    for (let slot = 0; slot < live; slot++) this.#add(slot, this.#weights[slot]!);
    this.#next = live;
  }
}
