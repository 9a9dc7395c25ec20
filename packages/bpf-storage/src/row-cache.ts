/**
 * Rows that were read lately, within a budget of bytes.
 *
 * A row is a key with its value or the knowledge that it is absent: a workload that asks for missing keys would
 * otherwise pay a walk through the table every time. Least recently used rows leave first.
 */
import { LRUCache } from 'lru-cache';
import type { RowKey } from './row-key.js';

/** Memory of one row beside its bytes, measured: the key's string, the Buffer object, and lru-cache's slots for it. */
export const rowOverheadBytes = 230;
/** One row may take this share of the budget, so that a few huge values do not push out everything. */
const largestRowShare = 1 / 8;

export const absent = Symbol('absent');
export type Row = Buffer | typeof absent;

export class RowCache {
  readonly #rows: LRUCache<string, Row> | undefined;

  /** @param budgetBytes 0 keeps nothing. */
  constructor(readonly budgetBytes: number) {
    if (budgetBytes === 0) return;
    this.#rows = new LRUCache({
      maxSize: budgetBytes,
      maxEntrySize: Math.max(1, Math.floor(budgetBytes * largestRowShare)),
      sizeCalculation: (row, text) => text.length + (row === absent ? 0 : row.length) + rowOverheadBytes,
    });
  }

  get entries(): number {
    return this.#rows?.size ?? 0;
  }

  /** Memory in use, with {@link rowOverheadBytes} a row. */
  get bytes(): number {
    return this.#rows?.calculatedSize ?? 0;
  }

  get(key: RowKey): Row | undefined {
    return this.#rows?.get(key.text);
  }

  /** Keeps the buffer: it must not change. */
  set(key: RowKey, row: Row): void {
    this.#rows?.set(key.text, row);
  }

  delete(key: RowKey): void {
    this.#rows?.delete(key.text);
  }

  clear(): void {
    this.#rows?.clear();
  }
}
