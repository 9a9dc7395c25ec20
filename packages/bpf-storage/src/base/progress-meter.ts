/** How far long work is: what its caller is told, and how often. */

/** Progress of a load or a compaction. */
export interface LoadProgress {
  /** `read`: taking entries and sorting them. `merge`: writing the new table. A compaction has only `merge`. */
  readonly phase: 'read' | 'merge';
  /** Entries taken, or written, so far. */
  readonly entries: number;
  /** Bytes of keys and values taken, or of the table written, so far. */
  readonly bytes: number;
}

/** Told how far the work is. */
export type ProgressListener = (progress: LoadProgress) => void;

/** Enough for a person who watches; each report may draw to a terminal. */
export const progressPerSecondMax = 10;

/** Passes progress on to the caller, at most {@link progressPerSecondMax} times a second. */
export class ProgressMeter {
  #reportedAtMs = -Infinity;

  constructor(
    private readonly onProgress: ProgressListener | undefined,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** @param isLast of its phase: it is always passed on. */
  report(phase: LoadProgress['phase'], entries: number, bytes: number, isLast = false): void {
    if (this.onProgress === undefined) return;
    const now = this.nowMs();
    if (!isLast && now - this.#reportedAtMs < 1000 / progressPerSecondMax) return;
    this.#reportedAtMs = now;
    this.onProgress({ phase, entries, bytes });
  }
}
