/**
 * Spreads bytes over time. A piece may go once enough time has passed for all earlier pieces, at the rates that applied
 * meanwhile. After a pause a piece goes at once.
 */
export class Pacer {
  /** Bytes that went out and are not paid for by time yet. */
  #owed = 0;
  #atMs = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Milliseconds until the next piece may go if the rate stays; 0 if it may go now. `bytesPerSecond` is above 0. */
  waitMs(bytesPerSecond: number): number {
    const now = this.nowMs();
    const passedMs = now - this.#atMs;
    this.#atMs = now;
    // NaN when no time has passed and there is no limit.
    this.#owed = Math.max(0, this.#owed - (passedMs / 1000) * bytesPerSecond) || 0;
    return bytesPerSecond === Infinity ? 0 : (this.#owed / bytesPerSecond) * 1000;
  }

  /** Records that a piece goes. */
  take(bytes: number): void {
    this.#owed += bytes;
  }
}
