/**
 * How many requests a cache of each size would miss: from the distances at which keys are used again.
 *
 * The distance of a use is the bytes of all other values used since the last use of the same key, and its own. An LRU
 * cache hits if it has room for the distance. So a histogram of distances is the whole curve.
 */

/** A point of a curve. */
export interface CurvePoint {
  readonly bytes: number;
  /** 0..1 */
  readonly missRatio: number;
}

/** Bins of a histogram: steps of a four-thousandth of the largest distance. */
const binCount = 4096;
/** Its first width; whenever a distance is too long, all widths double. */
const binBytesFirst = 64;

/** A histogram of distances that adapts its width. */
export class DistanceHistogram {
  readonly #bins = new Float64Array(binCount);
  #binBytes = binBytesFirst;

  get memoryBytes(): number {
    return this.#bins.byteLength;
  }

  /** @param weight how many uses this one stands for. */
  add(distanceBytes: number, weight: number): void {
    while (distanceBytes > this.#binBytes * binCount) this.#widen();
    this.#bins[Math.max(0, Math.ceil(distanceBytes / this.#binBytes) - 1)]! += weight;
  }

  /** Takes over what another has counted. */
  addAll(other: DistanceHistogram): void {
    other.#bins.forEach((weight, bin) => {
      if (weight !== 0) this.add((bin + 1) * other.#binBytes, weight);
    });
  }

  /** Miss ratios when there were `uses` uses, of which some had no distance, since their key was new. */
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
  /** @param missRatios of a cache of no bytes, `stepBytes`, twice that, and so on; never rising. */
  constructor(
    readonly missRatios: Float64Array,
    readonly stepBytes: number,
  ) {}

  /** Of a cache of this size, between the points that are known. */
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

  /** Evenly spaced sizes, none to `bytes`. */
  points(bytes: number, count: number): CurvePoint[] {
    return Array.from({ length: count + 1 }, (_, index) => {
      const size = (bytes * index) / count;
      return { bytes: size, missRatio: this.at(size) };
    });
  }
}

/** Mean of the absolute differences of two curves at `count` sizes, none to `bytes`. */
export function meanAbsoluteError(a: MissRatioCurve, b: MissRatioCurve, bytes: number, count = 1000): number {
  const others = b.points(bytes, count);
  const sum = a
    .points(bytes, count)
    .reduce((total, point, index) => total + Math.abs(point.missRatio - others[index]!.missRatio), 0);
  return sum / (count + 1);
}
