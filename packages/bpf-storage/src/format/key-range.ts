/** Ranges of keys, as everything that walks entries in order takes them. */

/** One end of a range of keys. */
export interface Bound {
  readonly key: Buffer;
  readonly inclusive: boolean;
}

/** A range of keys, and how to walk it. A bound that is left out leaves that end open. */
export interface KeyRange {
  readonly lower?: Bound | undefined;
  readonly upper?: Bound | undefined;
  /** From the greatest key to the smallest. Default false. */
  readonly reverse?: boolean | undefined;
  /** Values outside of the leaves are not read: they come out empty. Default false. */
  readonly keysOnly?: boolean | undefined;
}
