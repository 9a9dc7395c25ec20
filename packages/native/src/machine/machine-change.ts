/** The kinds of changes to a machine, each with all that undoing needs. */

/** One change, as the journal records it. */
export type Change =
  /** A table file is about to be made immutable, with a mark that it is ours. */
  | { readonly kind: 'pin'; readonly path: string }
  /** A cgroup is about to be made; all processes in it are ours. */
  | { readonly kind: 'cgroup'; readonly path: string }
  /** A file of /proc or /sys is about to be written; `old` is its content before. */
  | { readonly kind: 'file'; readonly path: string; readonly old: string }
  /** A zram device is about to be added to the existing ones; the kernel chooses its number. `atMs` is Unix time. */
  | { readonly kind: 'zram-add'; readonly existing: readonly number[]; readonly atMs: number }
  /** A zram device that we added is about to be given a size and a swap area with this UUID. */
  | { readonly kind: 'zram'; readonly id: number; readonly uuid: string }
  /** A zram device that we added is about to be given a size and a file system with this UUID, and mounted. */
  | { readonly kind: 'zram-disk'; readonly id: number; readonly uuid: string }
  /** A file and a loop device of it are about to be made. */
  | { readonly kind: 'loop'; readonly file: string }
  /** A file is about to be made and used as swap. */
  | { readonly kind: 'swap-file'; readonly path: string }
  /** A kdamond with this mark is about to be made; there was none before. */
  | { readonly kind: 'damon'; readonly kdamonds: string; readonly mark: number }
  /** The kernel is about to use this zram device as swap. */
  | { readonly kind: 'swap'; readonly id: number; readonly uuid: string };

/** Records changes before they are made; the journal is one. */
export interface ChangeRecorder {
  /** Returns once the record is on disk. */
  record(change: Change): void;
}
