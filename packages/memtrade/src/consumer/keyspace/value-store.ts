/**
 * Values by number, over a cache tier that is asynchronous and may lose anything.
 *
 * All operations on a key need one order. It comes from names that are never used twice: each write gets a new id, so
 * the bytes under an id never change.
 *
 *   put    returns the id at once; the bytes leave with the next batch, and serve reads until they are written
 *   read   returns bytes that are still here at once; one `getMany` a turn of the event loop reads all others
 *   drop   ends the id. Reads in flight still get their bytes: the tier deletes them later
 *   later  returns an id for bytes that are still being computed; readers wait for them
 *
 * Long values are split into parts with consecutive ids, since a tier takes values of at most a mebibyte.
 */
import { randomBytes } from 'node:crypto';
import type { CacheTier } from '@exopool/shared';

/** With its seal, a part fits 16 times into a segment of 1 MiB. A lease of 4 MiB has segments of 64 KiB. */
export const partBytes = 64 * 1024 - 256;
/** Ids kept for a value of unknown length: 256 parts are 16 MiB, twice the longest value. */
const partsMax = 256;
/** Bytes of values in one call to the tier: the loopback carries them in a few milliseconds. */
const batchBytesMax = 4 * 1024 * 1024;
/** Values in one call to the tier: a batch of tiny values must not hold up the event loop. */
const batchValuesMax = 1024;
/** Bookkeeping of a value in flight, so that tiny values count too. */
const onTheWayBytes = 128;

/**
 * Parts of a name. At 100,000 writes a second, 48 bits of ids last for ninety years, or for four months if each is an
 * update that reserves {@link partsMax} ids.
 */
const prefixBytes = 4;
const idBytes = 6;

/** The id of immutable bytes, and their length; -1 while they are being computed. */
export interface ValueRef {
  readonly id: number;
  readonly bytes: number;
}

interface Waiting {
  /** Kept until they are written. */
  bytes: Buffer | undefined;
  /** For readers that come before the bytes do. */
  readonly promise: Promise<Buffer | undefined> | undefined;
  sent: boolean;
}

interface Wanted extends ValueRef {
  readonly resolve: (value: Buffer | undefined) => void;
}

export class ValueStore {
  readonly #tier: CacheTier;
  /** Makes ids unique: another store over the same tier has another prefix. */
  readonly #prefix = randomBytes(prefixBytes);
  /** Ids whose bytes are not in the tier yet. */
  readonly #waiting = new Map<number, Waiting>();
  readonly #reading = new Map<number, Promise<Buffer | undefined>>();
  #wanted: Wanted[] = [];
  #unsent: number[] = [];
  #dropped: ValueRef[] = [];
  #nextId = 1;
  #scheduled = false;
  #loadBytes = 0;
  #onRelief: (() => void)[] = [];

  constructor(tier: CacheTier) {
    this.#tier = tier;
  }

  /** Bytes in flight to or from the tier. Callers must slow down when this grows. */
  get loadBytes(): number {
    return this.#loadBytes;
  }

  /** Calls back once, after a batch is done. */
  onRelief(callback: () => void): void {
    this.#onRelief.push(callback);
  }

  put(value: Buffer): ValueRef {
    const id = this.#take(partsOf(value.length));
    this.#waiting.set(id, { bytes: value, promise: undefined, sent: false });
    this.#queue(id, value.length);
    return { id, bytes: value.length };
  }

  /** Reserves an id. `settle` supplies its bytes, or `abandon` ends it without bytes. */
  later(promise: Promise<Buffer | undefined>): ValueRef {
    const id = this.#take(partsMax);
    this.#waiting.set(id, { bytes: undefined, promise, sent: false });
    return { id, bytes: -1 };
  }

  /** Supplies the bytes of a reserved id. They go to the tier unless the id was dropped meanwhile. */
  settle(id: number, value: Buffer): void {
    const waiting = this.#waiting.get(id);
    if (waiting === undefined) return;
    waiting.bytes = value;
    this.#queue(id, value.length);
  }

  abandon(id: number): void {
    this.#waiting.delete(id);
  }

  /** Returns bytes at once if they are still local. Resolves with `undefined` if the tier has lost them. */
  read(ref: ValueRef): Buffer | Promise<Buffer | undefined> {
    const waiting = this.#waiting.get(ref.id);
    if (waiting !== undefined) return waiting.bytes ?? waiting.promise!;
    const shared = this.#reading.get(ref.id);
    if (shared !== undefined) return shared;
    const promise = new Promise<Buffer | undefined>((resolve) => this.#wanted.push({ ...ref, resolve }));
    this.#reading.set(ref.id, promise);
    this.#loadBytes += ref.bytes + onTheWayBytes;
    this.#schedule();
    return promise;
  }

  mayHold(ref: ValueRef): boolean {
    return this.#waiting.has(ref.id) || (this.#tier.mayHold?.(this.#nameOf(ref.id)) ?? true);
  }

  drop({ id, bytes }: ValueRef): void {
    const waiting = this.#waiting.get(id);
    if (waiting !== undefined && !waiting.sent) {
      this.#waiting.delete(id);
      if (waiting.bytes !== undefined) this.#loadBytes -= waiting.bytes.length + onTheWayBytes;
      return;
    }
    const reading = this.#reading.get(id);
    if (reading !== undefined) {
      void reading.then(() => this.drop({ id, bytes }));
      return;
    }
    this.#dropped.push({ id, bytes });
    this.#schedule();
  }

  #take(ids: number): number {
    const id = this.#nextId;
    this.#nextId += ids;
    return id;
  }

  #queue(id: number, bytes: number): void {
    this.#unsent.push(id);
    this.#loadBytes += bytes + onTheWayBytes;
    this.#schedule();
  }

  /** Sends the batch after all sockets that are readable now were read, so that it serves many connections. */
  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      this.#flush();
    });
  }

  #flush(): void {
    const [wanted, unsent, dropped] = [this.#wanted, this.#unsent, this.#dropped];
    [this.#wanted, this.#unsent, this.#dropped] = [[], [], []];
    for (const batch of batches(wanted, (each) => each.bytes)) void this.#fetch(batch);
    const live = unsent.flatMap((id) => {
      const waiting = this.#waiting.get(id);
      return waiting?.bytes === undefined || waiting.sent ? [] : [{ id, waiting, bytes: waiting.bytes }];
    });
    for (const batch of batches(live, ({ bytes }) => bytes.length)) void this.#send(batch);
    if (dropped.length > 0) {
      void this.#tier.deleteMany(dropped.flatMap((each) => this.#namesOf(each))).catch(() => undefined);
    }
  }

  async #fetch(batch: readonly Wanted[]): Promise<void> {
    const names = batch.flatMap((each) => this.#namesOf(each));
    const found = await this.#tier.getMany(names).catch(() => [] as (Buffer | undefined)[]);
    let at = 0;
    for (const { id, bytes, resolve } of batch) {
      const parts = found.slice(at, (at += partsOf(bytes)));
      this.#reading.delete(id);
      this.#loadBytes -= bytes + onTheWayBytes;
      resolve(joinParts(parts, bytes));
    }
    this.#relieve();
  }

  async #send(batch: readonly { id: number; waiting: Waiting; bytes: Buffer }[]): Promise<void> {
    for (const { waiting } of batch) waiting.sent = true;
    const entries = batch.flatMap(({ id, bytes }) => this.#cut(id, bytes));
    await this.#tier.putMany(entries).catch(() => undefined);
    for (const { id, bytes } of batch) {
      this.#waiting.delete(id);
      this.#loadBytes -= bytes.length + onTheWayBytes;
    }
    this.#relieve();
  }

  #nameOf(id: number): Buffer {
    const name = Buffer.allocUnsafe(prefixBytes + idBytes);
    this.#prefix.copy(name);
    name.writeUIntLE(id, prefixBytes, idBytes);
    return name;
  }

  #namesOf({ id, bytes }: ValueRef): Buffer[] {
    if (bytes <= partBytes) return [this.#nameOf(id)];
    return Array.from({ length: partsOf(bytes) }, (_, part) => this.#nameOf(id + part));
  }

  #cut(id: number, bytes: Buffer): [Buffer, Buffer][] {
    if (bytes.length <= partBytes) return [[this.#nameOf(id), bytes]];
    return Array.from({ length: partsOf(bytes.length) }, (_, part) => [
      this.#nameOf(id + part),
      bytes.subarray(part * partBytes, (part + 1) * partBytes),
    ]);
  }

  #relieve(): void {
    const callbacks = this.#onRelief;
    this.#onRelief = [];
    for (const callback of callbacks) callback();
  }
}

function partsOf(bytes: number): number {
  return Math.max(1, Math.ceil(bytes / partBytes));
}

/** `undefined` unless every part is there. */
function joinParts(parts: readonly (Buffer | undefined)[], bytes: number): Buffer | undefined {
  const whole = parts.length === 1 ? parts[0] : parts.every(isHere) ? Buffer.concat(parts) : undefined;
  return whole?.length === bytes ? whole : undefined;
}

function isHere(part: Buffer | undefined): part is Buffer {
  return part !== undefined;
}

function* batches<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<T[]> {
  let batch: T[] = [];
  let bytes = 0;
  for (const item of items) {
    if (batch.length === batchValuesMax || (batch.length > 0 && bytes + bytesOf(item) > batchBytesMax)) {
      yield batch;
      batch = [];
      bytes = 0;
    }
    batch.push(item);
    bytes += bytesOf(item);
  }
  if (batch.length > 0) yield batch;
}
