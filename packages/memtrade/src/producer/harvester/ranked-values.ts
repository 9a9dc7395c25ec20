/**
 * Numbers in order of size, with their ranks: an order-statistics tree.
 *
 *             5 ×1 (6 below)            each node: a value, how often it is there,
 *            /              \           and how many values its subtree has
 *      2 ×3 (3)            8 ×2 (2)     at(4) goes right: 4 ≥ 3 + 1, and finds 8
 *
 * It is a treap: a search tree by value and a heap by random priority, so it stays balanced for any order of insertion.
 * Adding, removing and finding by rank take O(log n). Nodes are rows of typed arrays, so a sample is no object for the
 * garbage collector. The random numbers have a fixed seed: two runs do the same.
 */

const rowsAtStart = 64;
/** Row 0 stands for "no node". */
const none = 0;
const seed = 0x9e3779b9;

export class RankedValues {
  #value = new Float64Array(rowsAtStart);
  #times = new Uint32Array(rowsAtStart);
  #size = new Uint32Array(rowsAtStart);
  #priority = new Uint32Array(rowsAtStart);
  #left = new Uint32Array(rowsAtStart);
  #right = new Uint32Array(rowsAtStart);
  #root = none;
  /** Rows in use so far. Removed ones among them form a list from `#free`, linked by `#left`. */
  #rows = 1;
  #free = none;
  #random = seed;

  get size(): number {
    return this.#size[this.#root]!;
  }

  /** @param value not NaN. */
  add(value: number): void {
    this.#root = this.#insert(this.#root, value);
  }

  /** Removes one of `value`; does nothing when there is none. */
  remove(value: number): void {
    this.#root = this.#delete(this.#root, value);
  }

  /** The value with `rank` values before it; `undefined` outside of 0 … size − 1. */
  at(rank: number): number | undefined {
    if (!(rank >= 0 && rank < this.size)) return undefined;
    let node = this.#root;
    let left = rank;
    for (;;) {
      const below = this.#size[this.#left[node]!]!;
      if (left < below) {
        node = this.#left[node]!;
      } else if (left < below + this.#times[node]!) {
        return this.#value[node];
      } else {
        left -= below + this.#times[node]!;
        node = this.#right[node]!;
      }
    }
  }

  clear(): void {
    this.#root = none;
    this.#rows = 1;
    this.#free = none;
  }

  #insert(node: number, value: number): number {
    if (node === none) return this.#newRow(value);
    if (value === this.#value[node]) {
      this.#times[node]! += 1;
      this.#size[node]! += 1;
      return node;
    }
    const isLess = value < this.#value[node]!;
    const child = this.#insert((isLess ? this.#left : this.#right)[node]!, value);
    // Read again: a new row may have replaced the arrays by longer ones.
    (isLess ? this.#left : this.#right)[node] = child;
    if (this.#priority[child]! > this.#priority[node]!) return this.#rotate(node, isLess);
    this.#recount(node);
    return node;
  }

  #delete(node: number, value: number): number {
    if (node === none) return none;
    if (value === this.#value[node]) {
      if (this.#times[node]! === 1) return this.#unlink(node);
      this.#times[node]! -= 1;
    } else {
      const side = value < this.#value[node]! ? this.#left : this.#right;
      side[node] = this.#delete(side[node]!, value);
    }
    this.#recount(node);
    return node;
  }

  #unlink(node: number): number {
    const rest = this.#merge(this.#left[node]!, this.#right[node]!);
    this.#left[node] = this.#free;
    this.#free = node;
    return rest;
  }

  /** Every value of `left` is less than every one of `right`. */
  #merge(left: number, right: number): number {
    if (left === none) return right;
    if (right === none) return left;
    if (this.#priority[left]! > this.#priority[right]!) {
      this.#right[left] = this.#merge(this.#right[left]!, right);
      this.#recount(left);
      return left;
    }
    this.#left[right] = this.#merge(left, this.#left[right]!);
    this.#recount(right);
    return right;
  }

  /** Puts the left (or right) child above `node`. */
  #rotate(node: number, isLeft: boolean): number {
    const [from, to] = isLeft ? [this.#left, this.#right] : [this.#right, this.#left];
    const child = from[node]!;
    from[node] = to[child]!;
    to[child] = node;
    this.#recount(node);
    this.#recount(child);
    return child;
  }

  #recount(node: number): void {
    this.#size[node] = this.#times[node]! + this.#size[this.#left[node]!]! + this.#size[this.#right[node]!]!;
  }

  #newRow(value: number): number {
    let row = this.#free;
    if (row === none) {
      if (this.#rows === this.#value.length) this.#grow();
      row = this.#rows;
      this.#rows += 1;
    } else {
      this.#free = this.#left[row]!;
    }
    this.#value[row] = value;
    this.#times[row] = 1;
    this.#size[row] = 1;
    this.#left[row] = none;
    this.#right[row] = none;
    this.#priority[row] = this.#nextRandom();
    return row;
  }

  #grow(): void {
    const rows = this.#value.length * 2;
    const longer = (old: Uint32Array): Uint32Array<ArrayBuffer> => {
      const array = new Uint32Array(rows);
      array.set(old);
      return array;
    };
    const values = new Float64Array(rows);
    values.set(this.#value);
    this.#value = values;
    this.#times = longer(this.#times);
    this.#size = longer(this.#size);
    this.#priority = longer(this.#priority);
    this.#left = longer(this.#left);
    this.#right = longer(this.#right);
  }

  /** Xorshift (Marsaglia, 2003), 32 bits. */
  #nextRandom(): number {
    let x = this.#random;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#random = x >>> 0;
    return this.#random;
  }
}
