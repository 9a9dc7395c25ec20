/**
 * Miss-ratio curves: the share of requests that an LRU cache of each size misses, from reuse distances.
 *
 * The distance of a use is the bytes of the key's own value and of all other values used since the key's last use. An
 * LRU cache hits if it has room for the distance. So a histogram of distances is the whole curve.
 */

/** A point of a curve. */
export interface CurvePoint {
  readonly bytes: number;
  /** 0..1 */
  readonly missRatio: number;
}

/** Bins of a histogram: each is about 1/4000 of the largest distance. */
const binCount = 4096;
/** Width of a bin at the start. Whenever a distance is too long, all widths double. */
const binBytesFirst = 64;

/** A histogram of distances that adapts its width. */
export class DistanceHistogram {
  readonly #bins = new Float64Array(binCount);
  #binBytes = binBytesFirst;

  get memoryBytes(): number {
    return this.#bins.byteLength;
  }

  /** @param weight the number of uses that this one represents. */
  add(distanceBytes: number, weight: number): void {
    while (distanceBytes > this.#binBytes * binCount) this.#widen();
    this.#bins[Math.max(0, Math.ceil(distanceBytes / this.#binBytes) - 1)]! += weight;
  }

  /** Adds the counts of another histogram. */
  addAll(other: DistanceHistogram): void {
    other.#bins.forEach((weight, bin) => {
      if (weight !== 0) this.add((bin + 1) * other.#binBytes, weight);
    });
  }

  /** The curve for `uses` uses in all. A use without a distance, since its key was new, is a miss at every size. */
  curve(uses: number): MissRatioCurve {
    const missRatios = new Float64Array(binCount + 1);
    let misses = uses;
    for (let bin = 0; bin <= binCount; bin++) {
      missRatios[bin] = uses === 0 ? 1 : Math.min(1, Math.max(0, misses / uses));
      misses -= this.#bins[bin] ?? 0;
    }
    return new MissRatioCurve(missRatios, this.#binBytes);
  }

  #widen(): void {
    for (let bin = 0; bin < binCount; bin++) {
      this.#bins[bin] = (this.#bins[bin * 2] ?? 0) + (this.#bins[bin * 2 + 1] ?? 0);
    }
    this.#binBytes *= 2;
  }
}

export class MissRatioCurve {
  /** @param missRatios of caches of 0 bytes, `stepBytes`, twice that, and so on; must not rise. */
  constructor(
    readonly missRatios: Float64Array,
    readonly stepBytes: number,
  ) {}

  /** The miss ratio of a cache of this size, interpolated between known points. */
  at(bytes: number): number {
    const place = Math.max(0, bytes) / this.stepBytes;
    const index = Math.floor(place);
    const [a, b] = [this.missRatios[index], this.missRatios[index + 1]];
    if (a === undefined || b === undefined) return this.missRatios.at(-1)!;
    return a + (b - a) * (place - index);
  }

  /** The smallest size with the least misses. */
  get workingSetBytes(): number {
    const least = this.missRatios.at(-1)!;
    return this.missRatios.findIndex((ratio) => ratio <= least + 1e-9) * this.stepBytes;
  }

  /** The curve at evenly spaced sizes from 0 to `bytes`. */
  points(bytes: number, count: number): CurvePoint[] {
    return Array.from({ length: count + 1 }, (_, index) => {
      const size = (bytes * index) / count;
      return { bytes: size, missRatio: this.at(size) };
    });
  }
}

/** Mean of the absolute differences of two curves at `count` sizes from 0 to `bytes`. */
export function meanAbsoluteError(a: MissRatioCurve, b: MissRatioCurve, bytes: number, count = 1000): number {
  const others = b.points(bytes, count);
  const sum = a
    .points(bytes, count)
    .reduce((total, point, index) => total + Math.abs(point.missRatio - others[index]!.missRatio), 0);
  return sum / (count + 1);
}
