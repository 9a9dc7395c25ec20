/**
 * Keeps a slow read from putting an old value into a cache after a write.
 *
 *   reader:   look in table ........................... got "old", admit?
 *   writer:                   put "new", forget cached
 *
 * While a key is being fetched it has an epoch here, and every write to it makes the epoch greater. A fetch admits
 * its result only when the epoch is still the one it started with. Keys that nobody fetches cost nothing.
 */
import type { RowKey } from './row-key.js';

interface Fetched {
  fetches: number;
  epoch: number;
}

/** One fetch of one key. */
export interface FetchTicket {
  readonly key: RowKey;
  readonly startEpoch: number;
  readonly fetched: Readonly<Fetched>;
}

export class WriteEpochs {
  readonly #keys = new Map<string, Fetched>();

  /** Fetches in flight, counting each key. */
  get size(): number {
    return this.#keys.size;
  }

  begin(key: RowKey): FetchTicket {
    let fetched = this.#keys.get(key.text);
    if (fetched === undefined) {
      fetched = { fetches: 0, epoch: 0 };
      this.#keys.set(key.text, fetched);
    }
    fetched.fetches += 1;
    return { key, startEpoch: fetched.epoch, fetched };
  }

  /** Nobody wrote the key since `begin`. */
  isCurrent(ticket: FetchTicket): boolean {
    return ticket.fetched.epoch === ticket.startEpoch;
  }

  end(ticket: FetchTicket): void {
    const fetched = this.#keys.get(ticket.key.text)!;
    fetched.fetches -= 1;
    if (fetched.fetches === 0) this.#keys.delete(ticket.key.text);
  }

  written(key: RowKey): void {
    const fetched = this.#keys.get(key.text);
    if (fetched !== undefined) fetched.epoch += 1;
  }

  /** Any key may have been written. */
  writtenAll(): void {
    for (const fetched of this.#keys.values()) fetched.epoch += 1;
  }
}
