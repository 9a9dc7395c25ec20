/**
 * The swapped-out pages of a cgroup's processes, and when each went out. The newest can be brought back before a process
 * needs them.
 */
import { loadBinding } from '../load-binding.js';
import { pageCallResult } from './page-call.js';

interface NativeSwapHistory {
  /** Resolves with the pages that are out, or minus an errno. */
  observe(step: number): Promise<number>;
  /** Resolves with the bytes that were asked for, or minus an errno. */
  prefetch(bytes: number): Promise<number>;
}

interface PagingBinding {
  readonly SwapHistory: new (pid: number) => NativeSwapHistory;
}

/**
 * The history of swapped-out pages of some processes.
 * @example
 * ```ts
 * import { SwappedPages } from '@exopool/native/internal';
 *
 * const pages = new SwappedPages();
 * console.log(await pages.observe([process.pid]), 'bytes are swapped out');
 * await pages.prefetch(16 * 1024 * 1024);
 * ```
 */
export class SwappedPages {
  readonly #histories = new Map<number, NativeSwapHistory>();
  #step = 0;
  #turn: Promise<unknown> = Promise.resolve();

  /**
   * Looks at all pages of these processes. Pages that are newly swapped out went since the last look.
   * @returns bytes that are swapped out.
   */
  observe(pids: readonly number[]): Promise<number> {
    return this.#inTurn(async () => {
      this.#step += 1;
      for (const pid of this.#histories.keys()) if (!pids.includes(pid)) this.#histories.delete(pid);
      let pages = 0;
      for (const pid of pids) pages += await this.#ask(pid, (history) => history.observe(this.#step));
      return pages * 4096;
    });
  }

  /**
   * Brings back up to `bytes`, newest first. When this resolves the pages are in memory, or on their way from a disk.
   * @returns the bytes that the kernel was asked for.
   */
  prefetch(bytes: number): Promise<number> {
    return this.#inTurn(async () => {
      let asked = 0;
      for (const pid of [...this.#histories.keys()]) {
        if (asked >= bytes) break;
        asked += await this.#ask(pid, (history) => history.prefetch(bytes - asked));
      }
      return asked;
    });
  }

  /** A history takes one call at a time. */
  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #ask(pid: number, call: (history: NativeSwapHistory) => Promise<number>): Promise<number> {
    let history = this.#histories.get(pid);
    if (history === undefined) {
      const { SwapHistory } = loadBinding() as unknown as PagingBinding;
      history = new SwapHistory(pid);
      this.#histories.set(pid, history);
    }
    const code = await call(history);
    if (code < 0) this.#histories.delete(pid);
    return pageCallResult(pid, code) ?? 0;
  }
}
