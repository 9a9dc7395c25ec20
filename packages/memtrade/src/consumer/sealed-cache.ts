/**
 * A cache over leased memory: the index is here, the values are sealed and far away.
 *
 *   key -> entry { segment, offset, length, write }      a JavaScript Map
 *   values -> appended to a log of segments in the leased slabs (segment-log.ts), sealed (value-seal.ts)
 *
 * The index changes at once, when a call is made; requests to one producer take effect in the order in which they
 * are made. So a read never overtakes the write it follows, and what a late completion brings counts only if the key
 * still has the very entry that the read began with: a delete or overwrite in between has replaced it.
 *
 * A hit in the oldest part of the log is appended again, since its value is at hand: a second chance for what is in
 * use, for one write. What nobody read falls off the end of the log.
 *
 * Local memory of a pair, measured with 300,000 keys of 16 bytes: 157 bytes (a Map slot, the key as a string, the
 * entry). That is a cache for values of several hundred bytes and more.
 */
import type { CacheTier, CacheTierStats } from '@exopool/shared';
import type { SlabRange, SlabWrite } from '@exopool/native';
import { SegmentLog, type Segment } from './segment-log.js';
import type { SlabMemory } from './slab-memory.js';
import { sealOverheadBytes, ValueSeal, type SealedPlace, type SealMode } from './value-seal.js';

/** Keys are held in local memory, twice in the worst case: longer ones are not worth it. */
export const cacheKeyBytesMax = 4096;
/** Hits in this part of the log, the oldest, are appended again. More would write more, less would save fewer. */
const secondChanceShare = 0.25;

interface Region {
  readonly memory: SlabMemory;
  readonly slabs: number;
  readonly slabBytes: number;
  readonly seal: ValueSeal;
}

interface Entry {
  readonly key: string;
  readonly segment: Segment<Region, Entry>;
  readonly offset: number;
  /** Bytes as stored, with the seal. */
  readonly length: number;
  readonly write: number;
}

/** A value on its way to its place. */
type Placed = readonly [entry: Entry, key: Buffer, value: Buffer];

export class SealedCache implements CacheTier {
  readonly #overhead: number;
  readonly #mode: SealMode;
  readonly #index = new Map<string, Entry>();
  readonly #log = new SegmentLog<Region, Entry>();
  readonly #regions = new Map<SlabMemory, Region>();
  readonly #counts = { hits: 0, misses: 0, puts: 0, rejected: 0, evictions: 0, tampered: 0 };
  #bytes = 0;

  constructor(mode: SealMode = 'aes-128-gcm') {
    this.#mode = mode;
    this.#overhead = sealOverheadBytes(mode);
  }

  /** Uses a session's slabs from now on. */
  addMemory(memory: SlabMemory): void {
    if (this.#regions.has(memory)) return;
    const region: Region = {
      memory,
      slabs: memory.slabs,
      slabBytes: memory.slabBytes,
      seal: new ValueSeal(this.#mode),
    };
    this.#regions.set(memory, region);
    this.#log.addRegion(region);
  }

  /** Forgets a session's slabs, and at once every value in them. */
  removeMemory(memory: SlabMemory): void {
    const region = this.#regions.get(memory);
    if (region === undefined) return;
    this.#regions.delete(memory);
    for (const entry of this.#log.removeRegion(region)) this.#forget(entry);
  }

  /** One request a producer. Values that arrive together share an allocation: copy one to keep it alone for long. */
  async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    const results = new Array<Buffer | undefined>(keys.length).fill(undefined);
    const wanted = new Map<Region, { at: number; entry: Entry }[]>();
    keys.forEach((key, at) => {
      const entry = this.#index.get(key.toString('latin1'));
      if (entry !== undefined) append(wanted, entry.segment.region, { at, entry });
    });
    await Promise.all([...wanted].map(([region, reads]) => this.#read(region, reads, keys, results)));
    const hits = results.reduce((count, value) => count + (value === undefined ? 0 : 1), 0);
    this.#counts.hits += hits;
    this.#counts.misses += keys.length - hits;
    return results;
  }

  mayHold(key: Buffer): boolean {
    return this.#index.has(key.toString('latin1'));
  }

  async putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    const placed = new Map<Region, Placed[]>();
    for (const [key, value] of entries) {
      this.#counts.puts++;
      const entry = this.#place(key, value.length + this.#overhead);
      if (entry === undefined) this.#counts.rejected++;
      else append(placed, entry.segment.region, [entry, key, value]);
    }
    await Promise.all([...placed].map(([region, values]) => this.#write(region, values)));
  }

  deleteMany(keys: readonly Buffer[]): Promise<void> {
    for (const key of keys) {
      const entry = this.#index.get(key.toString('latin1'));
      if (entry !== undefined) this.#forget(entry);
    }
    return Promise.resolve();
  }

  stats(): CacheTierStats {
    return {
      ...this.#counts,
      entries: this.#index.size,
      bytes: this.#bytes,
      capacityBytes: this.#log.capacityBytes,
    };
  }

  /** Gives a value a place in log and index. A value that has none leaves no older one behind. */
  #place(key: Buffer, length: number): Entry | undefined {
    const name = key.toString('latin1');
    const older = this.#index.get(name);
    if (older !== undefined) this.#forget(older);
    if (key.length > cacheKeyBytesMax) return undefined;
    const place = this.#log.append(length, (evicted) => this.#evict(evicted));
    if (place === undefined) return undefined;
    const { segment, offset } = place;
    const entry: Entry = { key: name, segment, offset, length, write: segment.region.seal.nextWrite() };
    segment.entries.push(entry);
    this.#index.set(name, entry);
    this.#bytes += length - this.#overhead;
    return entry;
  }

  async #write(region: Region, values: readonly Placed[]): Promise<void> {
    const stored = region.seal.seal(values.map(([entry, key, value]) => [placeOf(entry, key), value]));
    const runs = joinRuns(
      values.map(([entry]) => entry),
      stored,
    );
    const written = await region.memory.writeMany(runs.map((run) => run.write));
    written.forEach((good, index) => {
      if (!good) for (const entry of runs[index]!.entries) this.#forget(entry);
    });
  }

  async #read(
    region: Region,
    reads: readonly { at: number; entry: Entry }[],
    keys: readonly Buffer[],
    results: (Buffer | undefined)[],
  ): Promise<void> {
    const stored = await region.memory.readMany(reads.map(({ entry }) => rangeOf(entry)));
    const current = reads.flatMap(({ at, entry }, index) => {
      const bytes = stored[index];
      if (bytes === undefined || this.#index.get(entry.key) !== entry) return [];
      return [{ at, entry, bytes }];
    });
    const opened = region.seal.open(
      current.map(({ at, entry, bytes }) => [placeOf(entry, keys[at]!), bytes]),
    );
    const again: (readonly [Buffer, Buffer])[] = [];
    current.forEach(({ at, entry }, index) => {
      const value = opened[index];
      results[at] = value;
      if (value === undefined) {
        this.#counts.tampered++;
        this.#forget(entry);
      } else if (this.#log.isOld(entry.segment, secondChanceShare)) {
        again.push([keys[at]!, value]);
      }
    });
    this.#appendAgain(again);
  }

  #appendAgain(values: readonly (readonly [Buffer, Buffer])[]): void {
    if (values.length === 0) return;
    this.#counts.puts -= values.length;
    void this.putMany(values);
  }

  #evict(entries: readonly Entry[]): void {
    for (const entry of entries) if (this.#forget(entry)) this.#counts.evictions++;
  }

  /** Removes an entry from the index, unless the key has another one by now. */
  #forget(entry: Entry): boolean {
    if (this.#index.get(entry.key) !== entry) return false;
    this.#bytes -= entry.length - this.#overhead;
    return this.#index.delete(entry.key);
  }
}

function rangeOf(entry: Entry): SlabRange {
  return { slab: entry.segment.slab, offset: entry.offset, length: entry.length };
}

function placeOf(entry: Entry, key: Buffer): SealedPlace {
  return { key, slab: entry.segment.slab, offset: entry.offset, length: entry.length, write: entry.write };
}

/** Joins values that lie next to each other, in the segment and in memory, into one write: a batch is often one. */
function joinRuns(
  entries: readonly Entry[],
  stored: readonly Buffer[],
): { write: SlabWrite; entries: Entry[] }[] {
  const runs: { write: SlabWrite; entries: Entry[] }[] = [];
  entries.forEach((entry, index) => {
    const data = stored[index]!;
    const last = runs.at(-1);
    const adjacent =
      last?.entries[0]!.segment === entry.segment &&
      last.write.offset + last.write.data.length === entry.offset &&
      last.write.data.buffer === data.buffer &&
      last.write.data.byteOffset + last.write.data.length === data.byteOffset;
    if (adjacent) {
      const joined = Buffer.from(
        data.buffer,
        last.write.data.byteOffset,
        last.write.data.length + data.length,
      );
      last.write = { ...last.write, data: joined };
      last.entries.push(entry);
    } else {
      runs.push({ write: { slab: entry.segment.slab, offset: entry.offset, data }, entries: [entry] });
    }
  });
  return runs;
}

function append<K, V>(map: Map<K, V[]>, key: K, value: V): void {
  const values = map.get(key);
  if (values === undefined) map.set(key, [value]);
  else values.push(value);
}
