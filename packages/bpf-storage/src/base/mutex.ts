/** Runs pieces of asynchronous work one after the other, in order of arrival. */
export class Mutex {
  #last: Promise<unknown> = Promise.resolve();

  /** Resolves as `work` does, which runs after all earlier work. A failure does not stop later work. */
  run<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#last.then(work);
    this.#last = result.catch(() => undefined);
    return result;
  }
}
