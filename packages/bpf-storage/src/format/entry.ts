/** Entries: a key with its value, or with the mark that it was deleted. */

/** The value of a deleted key. */
export const tombstone: unique symbol = Symbol('tombstone');
/** The type of {@link tombstone}. */
export type Tombstone = typeof tombstone;

/** An entry of a table or a log. */
export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer | Tombstone;
}
