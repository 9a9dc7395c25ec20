/**
 * A simulated application for the harvester's policy: random accesses to pages, the kernel's order of least recent use,
 * and the cost of a fault. A sample of the pages represents all of them.
 *
 *   Some pages are never used again. In the others: Zipf 0.7 over items, four items per page, popularity scattered.
 *   The load rises and falls over a day and jumps now and then. Every fault adds to the mean latency, and to the p99
 *   once more than 1 % of the requests have a fault.
 */
import { seededRandom, type Random } from '@exopool/demo/random';
import type { HarvestSample } from '@exopool/memtrade';

export interface SimulatedEpoch {
  readonly sample: HarvestSample;
  /** Relative increase of the mean latency by faults. */
  readonly slowdown: number;
  /** Share of the application's memory that is swapped out. */
  readonly swappedShare: number;
}

export const memoryBytes = 3 * 2 ** 30;
const sampledPages = 1500;
const realPages = memoryBytes / 4096;
const itemsPerPage = 4;
/** Leftovers of the start, of old versions, of fragmentation: about the share that Memtrade harvested from Redis. */
const idleShare = 0.15;
const theta = 0.7;
/** Requests a second, as the mean over the day. */
const requestsPerSecond = 800;
const daySeconds = 86_400;
const daySwing = 0.5;
/** Periods of double load. */
const jumpEverySeconds = 5400;
const jumpSeconds = 120;
const p50Us = 120;
const p99Us = 400;
/** Cost of a fault from compressed memory, as measured by this suite. */
const faultUs = 9;
/** Noise of the p99 of an epoch in an undisturbed server. */
const noise = 0.004;
const tail = 0.01;

export class SimulatedApplication {
  readonly #random: Random;
  /** Prefix sums of accesses per second to each page, at the mean load. The last one is that of all pages. */
  readonly #rateSums: Float64Array;
  /** Time of each page's last use, in seconds. */
  readonly #touched: Float64Array;
  readonly #isOut: Uint8Array;
  #out = 0;
  #seconds = 0;
  /** Time in accesses at the mean load. */
  #untilTouch = 0;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
    const rates = pageRates(this.#random);
    let sum = 0;
    this.#rateSums = rates.map((rate) => (sum += rate));
    // Start as after a long run: the rarer a page is used, the older its last use.
    this.#touched = rates.map((rate) => (rate === 0 ? -Infinity : -this.#exponential(1 / rate)));
    this.#isOut = new Uint8Array(sampledPages);
  }

  /** Simulates one second under a limit. */
  epoch(limitBytes: number | undefined): SimulatedEpoch {
    this.#seconds += 1;
    const load = this.#load();
    const faults = this.#touchPages(load);
    const keep =
      limitBytes === undefined ? sampledPages : Math.floor((limitBytes / memoryBytes) * sampledPages);
    this.#pushOut(sampledPages - this.#out - keep);
    const scale = realPages / sampledPages;
    const faultShare = Math.min(1, (faults * scale) / (requestsPerSecond * load));
    const p99 = p99Us * (1 + noise * (this.#random() + this.#random() - 1)) + tailCost(faultShare);
    const swappedBytes = (this.#out / sampledPages) * memoryBytes;
    return {
      sample: {
        nowMs: this.#seconds * 1000,
        performance: p99,
        pageIns: Math.round(faults * scale),
        usageBytes: memoryBytes - swappedBytes,
        swappedBytes,
        isStalled: false,
        isPushingOut: false,
        pressure: 0,
        swapFreeBytes: Infinity,
      },
      slowdown: (faultShare * faultUs) / p50Us,
      swappedShare: this.#out / sampledPages,
    };
  }

  /** Brings back the most recently used of the swapped pages. */
  prefetch(bytes: number): void {
    const count = Math.min(this.#out, Math.round((bytes / memoryBytes) * sampledPages));
    const newest = this.#indices((page) => this.#isOut[page] === 1).sort((a, b) =>
      this.#touched[a]! > this.#touched[b]! ? -1 : 1,
    );
    for (const page of newest.slice(0, count)) this.#bringBack(page);
  }

  #load(): number {
    const day = 1 + daySwing * Math.sin((2 * Math.PI * this.#seconds) / daySeconds);
    return this.#seconds % jumpEverySeconds < jumpSeconds ? 2 * day : day;
  }

  /** The requests of one second, as a Poisson process. @returns the number of faults. */
  #touchPages(load: number): number {
    let faults = 0;
    const total = this.#rateSums.at(-1)!;
    this.#untilTouch -= total * load;
    while (this.#untilTouch < 0) {
      this.#untilTouch += this.#exponential(1);
      const page = this.#pageAt(this.#random() * total);
      this.#touched[page] = this.#seconds;
      if (this.#isOut[page] === 0) continue;
      faults += 1;
      this.#bringBack(page);
    }
    return faults;
  }

  /** The first page whose prefix sum of rates exceeds a value. */
  #pageAt(sum: number): number {
    let low = 0;
    let high = sampledPages - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#rateSums[middle]! > sum) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  #bringBack(page: number): void {
    this.#isOut[page] = 0;
    this.#out -= 1;
  }

  /** Swaps out the least recently used pages. */
  #pushOut(count: number): void {
    if (count <= 0) return;
    const oldest = this.#indices((page) => this.#isOut[page] === 0).sort((a, b) =>
      this.#touched[a]! < this.#touched[b]! ? -1 : 1,
    );
    for (const page of oldest.slice(0, count)) {
      this.#isOut[page] = 1;
      this.#out += 1;
    }
  }

  #indices(isWanted: (page: number) => boolean): number[] {
    const found: number[] = [];
    for (let page = 0; page < sampledPages; page += 1) if (isWanted(page)) found.push(page);
    return found;
  }

  #exponential(mean: number): number {
    return -Math.log(1 - this.#random()) * mean;
  }
}

/** Increase of the p99 by faults: nothing if fewer than 1 % of the requests have one, a whole fault at 10 %. */
function tailCost(faultShare: number): number {
  return faultUs * Math.min(1, Math.max(0, faultShare / tail - 1) / 9);
}

/** Inverts the distribution: an item at rank u (0 to 1) is used with a density proportional to u^-theta. */
function pageRates(random: Random): Float64Array {
  const mean = (requestsPerSecond * itemsPerPage) / (realPages * itemsPerPage);
  return new Float64Array(sampledPages).map(() => {
    if (random() < idleShare) return 0;
    let popularity = 0;
    for (let item = 0; item < itemsPerPage; item += 1)
      popularity += (1 - theta) * Math.max(1e-6, random()) ** -theta;
    return (mean * popularity) / itemsPerPage;
  });
}
