/** The changes that are made to a machine, each with what it takes to undo it. */

export type Change =
  /** A table file is about to be made immutable, with a mark that it was us. */
  | { readonly kind: 'pin'; readonly path: string }
  /** A cgroup was made; everything still in it belongs to us. */
  | { readonly kind: 'cgroup'; readonly path: string }
  /** A file of /proc or /sys was written; `old` is what it said before. */
  | { readonly kind: 'file'; readonly path: string; readonly old: string }
  /** A zram device is about to be added to those that exist, in Unix time; the kernel chooses its number. */
  | { readonly kind: 'zram-add'; readonly existing: readonly number[]; readonly atMs: number }
  /** A zram device that we added is about to be given a size and a swap area with this UUID. */
  | { readonly kind: 'zram'; readonly id: number; readonly uuid: string }
  /** A zram device that we added is about to be given a size and a file system with this UUID, and mounted. */
  | { readonly kind: 'zram-disk'; readonly id: number; readonly uuid: string }
  /** A file is about to be made, and a loop device of it. */
  | { readonly kind: 'loop'; readonly file: string }
  /** A file is about to be made, and swapped to. */
  | { readonly kind: 'swap-file'; readonly path: string }
  /** DAMON is about to be given a kdamond with this mark; there was none before. */
  | { readonly kind: 'damon'; readonly kdamonds: string; readonly mark: number }
  /** The kernel is about to swap to it. */
  | { readonly kind: 'swap'; readonly id: number; readonly uuid: string };

/** Where a change is written down before it is made: the journal. */
export interface ChangeRecorder {
  /** Returns once the record is on disk. */
  record(change: Change): void;
}
