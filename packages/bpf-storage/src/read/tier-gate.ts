/**
 * The gate between the store and a {@link CacheTier}, which may be slow, may fail, and may finish calls out of order.
 *
 * The gate keeps two promises. A failing tier costs misses and never a read. And a tier never returns a value that was
 * overwritten:
 *
 * - While keys are being deleted from the tier, they are blocked: reads of them bypass the tier, and their values are not
 *   admitted.
 * - A deletion first waits until admissions of the same keys have ended. Otherwise a tier could do the deletion before
 *   the older `putMany`.
 * - After a rejected deletion nobody knows what the tier still holds. The gate detaches it for good and counts that.
 *
 * Writes wait for deletions; `load()` and `close()` wait for admissions. So a tier whose call has not ended after
 * `callMsMax` is detached for good too, and the waiting calls go on without it.
 */
import type { CacheTier, CacheTierStats } from '@exopool/shared';
import type { RowKey } from '../format/row-key.js';

/** The most admissions in flight. With more the tier is slower than the reads, and they would only queue up. */
const admissionsMax = 64;
/**
 * The longest that a call of the tier may take, milliseconds: ten times the limit of a slab client for an answer. A tier
 * that needs longer is slower than any disk.
 */
export const callMsMax = 10_000;

/** Failures of the cache tier, as the store saw them. */
export interface TierGateCounters {
  /** Calls of the tier that rejected, threw, or did not end within 10 s. */
  readonly failures: number;
  /** Times that a tier was detached because it rejected a deletion or did not end a call within 10 s. */
  readonly detached: number;
  /** Values that were not offered to the tier because too many admissions were in flight. */
  readonly dropped: number;
}

/** The only caller of a store's cache tier. */
export class TierGate {
  readonly #blocked = new Map<string, number>();
  readonly #admitting = new Map<string, Promise<void>>();
  #admissions = 0;
  #pauses = 0;
  #failures = 0;
  #detached = 0;
  #dropped = 0;

  constructor(private tier: CacheTier | undefined) {}

  get counters(): TierGateCounters {
    return { failures: this.#failures, detached: this.#detached, dropped: this.#dropped };
  }

  stats(): CacheTierStats | undefined {
    return this.tier?.stats();
  }

  get isAttached(): boolean {
    return this.tier !== undefined;
  }

  attach(tier: CacheTier | undefined): void {
    this.tier = tier;
  }

  /** Whether the tier may return a value for `key`. */
  mayHold(key: RowKey): boolean {
    if (this.tier === undefined || !this.#isOpen(key)) return false;
    return this.#tierMayHold(this.tier, key.bytes, false);
  }

  /** Whether the tier may hold a value for `key`. To be called while the tier is paused. */
  mayNeedDeletion(key: Buffer): boolean {
    return this.tier !== undefined && this.#tierMayHold(this.tier, key, true);
  }

  /** The tier's values of `keys`, in order. Never rejects. */
  async getMany(keys: readonly RowKey[]): Promise<(Buffer | undefined)[]> {
    const found = new Array<Buffer | undefined>(keys.length).fill(undefined);
    const asked = [...keys.keys()].filter((index) => this.#isOpen(keys[index]!));
    if (this.tier === undefined || asked.length === 0) return found;
    try {
      const tier = this.tier;
      const wanted = asked.map((index) => keys[index]!.bytes);
      const values = await this.#inTime(tier, () => tier.getMany(wanted));
      for (const [position, index] of asked.entries()) found[index] = values[position];
    } catch {
      this.#failures += 1;
    }
    return found;
  }

  /** Offers entries to the tier. Does not wait. */
  admit(entries: readonly (readonly [RowKey, Buffer])[]): void {
    const tier = this.tier;
    const open = entries.filter(([key]) => this.#isOpen(key));
    if (tier === undefined || open.length === 0) return;
    if (this.#admissions >= admissionsMax) {
      this.#dropped += open.length;
      return;
    }
    this.#admissions += 1;
    const admission = this.#put(
      tier,
      open.map(([key, value]) => [key.bytes, value] as const),
    );
    for (const [{ text }] of open) {
      const before = this.#admitting.get(text);
      const all = before === undefined ? admission : Promise.all([before, admission]).then(() => undefined);
      this.#admitting.set(text, all);
      void all.then(() => {
        if (this.#admitting.get(text) === all) this.#admitting.delete(text);
      });
    }
  }

  /** Resolves once the tier can no longer return the old values of `keys`. Never rejects. */
  async invalidate(keys: readonly RowKey[]): Promise<void> {
    const tier = this.tier;
    if (tier === undefined || keys.length === 0) return;
    for (const { text } of keys) this.#blocked.set(text, (this.#blocked.get(text) ?? 0) + 1);
    try {
      await this.#inTime(tier, async () => {
        await Promise.all(keys.map(async ({ text }) => this.#admitting.get(text)));
        await tier.deleteMany(keys.map(({ bytes }) => bytes));
      });
    } catch {
      this.#failures += 1;
      this.#detach(tier);
    } finally {
      for (const { text } of keys) this.#unblock(text);
    }
  }

  /** Bypasses the tier until `resume()`. Resolves once no admission is in flight. */
  async pause(): Promise<void> {
    this.#pauses += 1;
    await this.settled();
  }

  resume(): void {
    this.#pauses -= 1;
  }

  /** Resolves once the present admissions have ended. */
  async settled(): Promise<void> {
    await Promise.all(this.#admitting.values());
  }

  #tierMayHold(tier: CacheTier, key: Buffer, ifItFails: boolean): boolean {
    try {
      return tier.mayHold?.(key) ?? true;
    } catch {
      this.#failures += 1;
      return ifItFails;
    }
  }

  #isOpen(key: RowKey): boolean {
    return this.#pauses === 0 && !this.#blocked.has(key.text);
  }

  #unblock(text: string): void {
    const count = this.#blocked.get(text)! - 1;
    if (count === 0) this.#blocked.delete(text);
    else this.#blocked.set(text, count);
  }

  async #put(tier: CacheTier, entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    try {
      await this.#inTime(tier, () => tier.putMany(entries));
    } catch {
      this.#failures += 1;
    } finally {
      this.#admissions -= 1;
    }
  }

  /** Resolves as `call` does. After `callMsMax` it detaches the tier and rejects. */
  async #inTime<T>(tier: CacheTier, call: () => Promise<T>): Promise<T> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      const giveUp = (): void => {
        this.#detach(tier);
        reject(new Error(`a call of the cache tier did not end within ${callMsMax} ms`));
      };
      // In two halves: while the event loop is blocked no answer can come in, and only one half expires.
      timer = setTimeout(() => (timer = setTimeout(giveUp, callMsMax / 2)), callMsMax / 2);
    });
    try {
      return await Promise.race([call(), late]);
    } finally {
      clearTimeout(timer);
    }
  }

  #detach(tier: CacheTier): void {
    if (this.tier !== tier) return;
    this.tier = undefined;
    this.#detached += 1;
  }
}
