/**
 * Spreads bytes over time. Each piece reserves the time that it takes at the rate of the moment, after those before
 * it; who has reserved waits until that time begins. A piece after a pause goes at once.
 */
export class Pacer {
  #freeAtMs = 0;

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  /** Milliseconds to wait before `bytes` may go. `bytesPerSecond` is greater than 0. */
  reserve(bytes: number, bytesPerSecond: number): number {
    const now = this.nowMs();
    const start = Math.max(now, this.#freeAtMs);
    this.#freeAtMs = start + (bytes / bytesPerSecond) * 1000;
    return start - now;
  }
}
