/** Stands for "deleted" where a value would be. */
export const tombstone = Symbol('tombstone');
export type Tombstone = typeof tombstone;

export interface Entry {
  readonly key: Buffer;
  readonly value: Buffer | Tombstone;
}
