/** A metric that is read from a server at the end of each epoch, mostly from counters. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Direction, PerformanceMetric } from './performance-metric.js';

/** A later answer is ignored: an epoch takes a second, and its decision must not wait for a slow server. */
const answerMsMax = 250;

export interface PolledOptions {
  readonly name: string;
  readonly direction: Direction;
  readonly defaultSlack: number;
  /** Asks the server. An error counts as no answer. */
  readonly read: () => Promise<number | undefined>;
  readonly close?: () => void;
}

export function polledMetric({
  name,
  direction,
  defaultSlack,
  read,
  close,
}: PolledOptions): PerformanceMetric {
  let pending: Promise<number | undefined> | undefined;
  const ask = (): Promise<number | undefined> => {
    // One request at a time: a slow server gets no second one before it has answered.
    pending ??= read()
      .catch(() => undefined)
      .finally(() => (pending = undefined));
    return pending;
  };
  return {
    name,
    direction,
    defaultSlack,
    endEpoch: async () => {
      const timeout = new AbortController();
      const late = sleep(answerMsMax, undefined, { signal: timeout.signal }).catch(() => undefined);
      const value = await Promise.race([ask(), late]);
      timeout.abort();
      return value;
    },
    close: () => close?.(),
  };
}

/** The growth of a counter between two readings; `undefined` at the first one and after a reset. */
export class CounterDelta {
  #last: number | undefined;

  next(value: number): number | undefined {
    const delta = this.#last === undefined ? undefined : value - this.#last;
    this.#last = value;
    return delta === undefined || delta < 0 || Number.isNaN(delta) ? undefined : delta;
  }
}

/** The growth of a counter per second between two readings. */
export class CounterRate {
  readonly #value = new CounterDelta();
  readonly #seconds = new CounterDelta();

  next(value: number, nowMs: number): number | undefined {
    const delta = this.#value.next(value);
    const seconds = this.#seconds.next(nowMs / 1000);
    return delta === undefined || seconds === undefined || seconds === 0 ? undefined : delta / seconds;
  }
}

/** A mean between two readings, from two counters: a sum and a count. */
export class MeanDelta {
  readonly #sum = new CounterDelta();
  readonly #count = new CounterDelta();

  next(sum: number, count: number): number | undefined {
    const total = this.#sum.next(sum);
    const times = this.#count.next(count);
    return total === undefined || times === undefined || times === 0 ? undefined : total / times;
  }
}
