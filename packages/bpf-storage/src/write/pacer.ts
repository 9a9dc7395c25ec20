/**
 * Spreads bytes over time: a piece may go once those before it have had the time that they take, at the rates that held
 * meanwhile. A piece after a pause goes at once.
 */
export class Pacer {
  /** Bytes that went, and have not had their time yet. */
  #owed = 0;
  #atMs = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Milliseconds until the next piece may go, if the rate stays; 0 when it may. `bytesPerSecond` is greater than 0. */
  waitMs(bytesPerSecond: number): number {
    const now = this.nowMs();
    const passedMs = now - this.#atMs;
    this.#atMs = now;
    // At no limit, and at once, this is no number.
    this.#owed = Math.max(0, this.#owed - (passedMs / 1000) * bytesPerSecond) || 0;
    return bytesPerSecond === Infinity ? 0 : (this.#owed / bytesPerSecond) * 1000;
  }

  /** A piece goes. */
  take(bytes: number): void {
    this.#owed += bytes;
  }
}
