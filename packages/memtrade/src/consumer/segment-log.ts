/**
 * Where the next value goes: leased slabs as one log of segments, first in, first out.
 *
 *   region (a session's slabs)   | seg | seg | seg | ...       region  | seg | seg | ...
 *   log, oldest first             s7 -> s2 -> s9 -> ... -> open segment, values appended back to back
 *
 * Space is only ever freed by whole segments, so nothing fragments and every write is sequential. The price is that a
 * segment's live values go with it; who wants to keep one appends it again before its segment is the oldest.
 *
 * The log knows of each value only what its user remembers (`E`), and says when a segment's worth of them goes.
 */

/** A frame of the slab protocol holds 1 MiB, so a whole segment can be written at once. */
export const segmentBytesMax = 1024 * 1024;
/** Below this a segment is too few values of usual size, and the last one wastes too much of it. */
export const segmentBytesMin = 4 * 1024;
/** With fewer segments than this, throwing one away throws away too much of the cache at once. */
const segmentsWanted = 64;

/** The slabs of one session. */
export interface RegionShape {
  readonly slabs: number;
  readonly slabBytes: number;
}

export interface Segment<R, E> {
  readonly region: R;
  readonly slab: number;
  /** Where it starts in its slab. */
  readonly offset: number;
  readonly bytes: number;
  /** Bytes taken from its start. */
  used: number;
  /** Counts segments as they are opened: the larger, the younger. */
  age: number;
  readonly entries: E[];
}

export class SegmentLog<R extends RegionShape, E> {
  /** Segments that hold values, oldest first; the last one is open. */
  #full: Segment<R, E>[] = [];
  readonly #free = new Map<R, Segment<R, E>[]>();
  #open: Segment<R, E> | undefined;
  #ages = 0;
  #capacityBytes = 0;
  #valueBytesMax = 0;

  get capacityBytes(): number {
    return this.#capacityBytes;
  }

  /** The longest value that `append` takes. */
  get valueBytesMax(): number {
    return this.#valueBytesMax;
  }

  addRegion(region: R): void {
    const bytes = segmentBytesOf(region);
    const segments: Segment<R, E>[] = [];
    for (let slab = region.slabs - 1; slab >= 0; slab--) {
      for (let offset = region.slabBytes - (region.slabBytes % bytes) - bytes; offset >= 0; offset -= bytes) {
        segments.push({ region, slab, offset, bytes, used: 0, age: 0, entries: [] });
      }
    }
    this.#free.set(region, segments);
    this.#capacityBytes += segments.length * bytes;
    this.#valueBytesMax = Math.max(this.#valueBytesMax, bytes);
  }

  /** Forgets a region. @returns everything that was in it. */
  removeRegion(region: R): E[] {
    const free = this.#free.get(region);
    if (free === undefined) return [];
    this.#free.delete(region);
    const held = this.#full.filter((segment) => segment.region === region);
    this.#full = this.#full.filter((segment) => segment.region !== region);
    if (this.#open?.region === region) this.#open = undefined;
    for (const segment of [...free, ...held]) this.#capacityBytes -= segment.bytes;
    this.#valueBytesMax = Math.max(0, ...[...this.#free.keys()].map(segmentBytesOf));
    return held.flatMap((segment) => segment.entries);
  }

  /**
   * Finds space for `length` bytes. The caller puts what it remembers of the value into the segment's `entries`.
   * @param evict called with the entries of a segment whose space is used again.
   * @returns `undefined` when no segment is as large as that.
   */
  append(
    length: number,
    evict: (entries: E[]) => void,
  ): { segment: Segment<R, E>; offset: number } | undefined {
    // An empty value takes a byte too, or a segment could hold any number of them.
    const needed = Math.max(1, length);
    if (needed > this.#valueBytesMax) return undefined;
    while (this.#open === undefined || this.#open.bytes - this.#open.used < needed) {
      this.#open = this.#take(evict);
    }
    const segment = this.#open;
    const offset = segment.offset + segment.used;
    segment.used += needed;
    return { segment, offset };
  }

  /** True when a segment's turn to be thrown away is near: it is among the oldest `share` of the log. */
  isOld(segment: Segment<R, E>, share: number): boolean {
    return this.#ages - segment.age >= this.#full.length * (1 - share) && this.#freeSegments() === 0;
  }

  #take(evict: (entries: E[]) => void): Segment<R, E> {
    let most: Segment<R, E>[] = [];
    // From where most is free, so that producers share the load and the risk.
    for (const segments of this.#free.values()) if (segments.length > most.length) most = segments;
    const segment = most.pop() ?? this.#full.shift()!;
    evict(segment.entries.splice(0));
    segment.used = 0;
    segment.age = ++this.#ages;
    this.#full.push(segment);
    return segment;
  }

  #freeSegments(): number {
    let count = 0;
    for (const segments of this.#free.values()) count += segments.length;
    return count;
  }
}

function segmentBytesOf(region: RegionShape): number {
  const wanted = 2 ** Math.floor(Math.log2((region.slabs * region.slabBytes) / segmentsWanted));
  return Math.min(segmentBytesMax, region.slabBytes, Math.max(segmentBytesMin, wanted));
}
