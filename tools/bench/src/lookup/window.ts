/**
 * One window: runs a workload against an open store for some time. It checks every value: its length and its record
 * number always, all of its bytes now and then. After updates, it reads some acknowledged ones again. A wrong value
 * ends the contender's run, so that no figures come from wrong answers.
 */
import { ExopoolError } from '@exopool/shared';
import { driveAsync, driveSync, type Driven } from './drive.js';
import type { Entry, Reader, Session } from './contenders/contender.js';
import { Draws, KeyStream } from './key-stream.js';
import { indexIn, isValueOf, keyOf, valueOf, versionIn } from './records.js';
import type { TurnSettings } from './turn.js';
import { manyKeys, mixedEntries, rangeEntries, updateEntries, type Workload } from './workloads.js';

/** One in this many values is compared byte by byte, which costs as much as a read from memory. */
const wholeValueStride = 64;
/** Keys made before a window for each of its seconds: more than any store here reads from a disk. */
const keysPerSecond = 200_000;
/** Every latency is taken, but only one in this many if calls take a microsecond. */
const hotStride = 8;
/** Number of updated records to read again. */
const rememberedMax = 512;

export class Windows {
  readonly #draws: Draws;
  readonly #hotDraws: Draws;
  readonly #written = new Map<number, number>();
  #checks = 0;
  #version: number;

  /** `seed` differs for each process, so that no two read the same keys or write the same versions. */
  constructor({ records, hotRecords, seed }: Pick<TurnSettings, 'records' | 'hotRecords' | 'seed'>) {
    this.#draws = new Draws(records, seed);
    this.#hotDraws = new Draws(hotRecords, seed);
    this.#version = seed;
  }

  async run(session: Session, reader: Reader, workload: Workload, seconds: number): Promise<Driven> {
    const isHot = workload.temperature === 'hot';
    const options = { seconds, inFlight: workload.inFlight, stride: isHot ? hotStride : 1 };
    const keys = new KeyStream({
      toKey: (bytes) => session.toKey(bytes) as never,
      draw: (isHot ? this.#hotDraws : this.#draws).of(workload.distribution),
      repeats: isHot,
      expected: workload.inFlight > 1 ? seconds * keysPerSecond : 0,
    });
    const isAbsent = workload.distribution === 'absent';
    switch (workload.operation) {
      case 'get':
        return this.#gets(reader, keys, isAbsent, options);
      case 'get_many':
        return driveAsync(() => this.#getMany(session, keys, isAbsent), options);
      case 'range':
        return driveAsync(() => this.#range(session, keys), options);
      case 'update':
        return driveAsync(() => session.update(this.#someUpdates(updateEntries)), options);
      case 'mixed':
        return driveAsync(() => this.#mixed(session, reader, keys), options);
    }
  }

  /** Reads some updated records again. @throws ExopoolError if an acknowledged write is missing. */
  async checkWrites(session: Session): Promise<void> {
    const written = [...this.#written];
    const values = await session.getMany(written.map(([index]) => session.toKey(keyOf(index)) as never));
    for (const [place, [index, version]] of written.entries()) {
      const value = values[place];
      this.#require(isValueOf(value, index) && versionIn(value!) === version, index);
    }
  }

  #gets(
    reader: Reader,
    keys: KeyStream<never>,
    isAbsent: boolean,
    options: Parameters<typeof driveSync>[1],
  ): Driven | Promise<Driven> {
    if (reader.kind === 'sync') {
      return driveSync(() => {
        const place = keys.advance();
        this.#check(reader.get(keys.key(place)), keys.index(place), isAbsent);
      }, options);
    }
    return driveAsync(async () => {
      const { key, index } = keys.next();
      this.#check(await reader.get(key), index, isAbsent);
    }, options);
  }

  async #getMany(session: Session, keys: KeyStream<never>, isAbsent: boolean): Promise<void> {
    const asked = Array.from({ length: manyKeys }, () => keys.next());
    const values = await session.getMany(asked.map(({ key }) => key));
    for (const [place, { index }] of asked.entries()) this.#check(values[place], index, isAbsent);
  }

  async #range(session: Session, keys: KeyStream<never>): Promise<void> {
    const { key, index } = keys.next();
    const values = await session.range(key, rangeEntries);
    // Near the end of the keys there are fewer.
    this.#check(values[0], index, false);
  }

  async #mixed(session: Session, reader: Reader, keys: KeyStream<never>): Promise<void> {
    const writing = session.update(this.#someUpdates(mixedEntries));
    const read = async (): Promise<void> => {
      const { key, index } = keys.next();
      this.#check(await reader.get(key), index, false);
    };
    await Promise.all([writing, ...Array.from({ length: mixedEntries }, read)]);
  }

  #someUpdates(count: number): Entry[] {
    const draw = this.#draws.of('uniform');
    return Array.from({ length: count }, () => {
      const index = draw();
      const version = (this.#version += 1);
      if (this.#written.size < rememberedMax || this.#written.has(index)) this.#written.set(index, version);
      return { key: keyOf(index), value: valueOf(index, version) };
    });
  }

  #check(value: Uint8Array | undefined, index: number, isAbsent: boolean): void {
    this.#checks += 1;
    const quick = this.#checks % wholeValueStride !== 0;
    this.#require(isAbsent ? value === undefined : isValueOf(value, index, quick), index);
  }

  #require(isRight: boolean, index: number): void {
    if (isRight) return;
    throw new ExopoolError('EXOPOOL_INTERNAL', `a wrong value was read for record ${index}`);
  }
}

/** Reads all entries once, range by range. */
export async function walkAll(session: Session): Promise<void> {
  for (let from: Buffer | undefined = Buffer.from('0'); from !== undefined;) {
    const values: readonly Uint8Array[] = await session.range(session.toKey(from) as never, rangeEntries);
    from = values.length < rangeEntries ? undefined : keyOf(indexIn(values.at(-1)!));
  }
}

/** Reads the first `records` records once, so that every cache has seen them. */
export async function readAll(session: Session, records: number): Promise<void> {
  const atOnce = 1024;
  for (let start = 0; start < records; start += atOnce) {
    const indexes = Array.from({ length: Math.min(atOnce, records - start) }, (_, offset) => start + offset);
    const values = await session.getMany(indexes.map((index) => session.toKey(keyOf(index)) as never));
    if (indexes.every((index, place) => isValueOf(values[place], index, true))) continue;
    throw new ExopoolError('EXOPOOL_INTERNAL', `a wrong value was read after record ${start}`);
  }
}
