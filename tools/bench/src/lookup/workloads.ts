/**
 * The windows in which contenders are measured.
 *
 *   cold   the store was opened anew after its files were dropped from the page cache; the limit is 1/4 of the data
 *   warm   the same workload ran for a while before, so that caches are full under that limit
 *   hot    the limit holds everything, and everything was read before in the same way
 */
import type { Distribution } from './key-stream.js';

export type Temperature = 'cold' | 'warm' | 'hot';
export type Operation = 'get' | 'get_many' | 'range' | 'update' | 'mixed';

export interface Workload {
  readonly operation: Operation;
  readonly distribution: Distribution;
  readonly inFlight: number;
  readonly temperature: Temperature;
}

/** Keys of one `get_many`, entries of one `range`, writes of one durable batch. */
export const manyKeys = 64;
export const rangeEntries = 100;
export const updateEntries = 128;

/** Calls in one step of the mixed workload, half of them reads, half writes. */
export const mixedEntries = 64;

/** The name of a row, such as "get uniform ×128 cold". */
export function nameOf({ operation, distribution, inFlight, temperature }: Workload): string {
  const what = {
    get: `get ${distribution}`,
    get_many: `get_many(${manyKeys}) ${distribution}`,
    range: `range(${rangeEntries}) ${distribution}`,
    update: `update(${updateEntries}) ${distribution}`,
    mixed: `mixed 50/50 ${distribution}`,
  }[operation];
  return `${what} ×${inFlight} ${temperature}`;
}

const get = (distribution: Distribution, inFlight: number, temperature: Temperature): Workload => ({
  operation: 'get',
  distribution,
  inFlight,
  temperature,
});

/** The row for the ratios. */
export const coldGet = get('uniform', 128, 'cold');
export const hotGet = get('uniform', 128, 'hot');

const some = (operation: Operation, inFlight: number, temperature: Temperature): Workload => ({
  operation,
  distribution: 'uniform',
  inFlight,
  temperature,
});

export interface Workloads {
  /** Under the tight limit, in one process per round; cold ones first. */
  readonly limited: readonly Workload[];
  readonly hot: readonly Workload[];
  /** Also under the tight limit, but after all reads, since they change the files. */
  readonly writing: readonly Workload[];
}

export const quickWorkloads: Workloads = {
  limited: [
    get('uniform', 1, 'cold'),
    get('uniform', 16, 'cold'),
    coldGet,
    get('zipf', 128, 'cold'),
    get('absent', 128, 'cold'),
    some('get_many', 1, 'cold'),
    some('range', 1, 'cold'),
    get('zipf', 128, 'warm'),
  ],
  hot: [hotGet, get('zipf', 128, 'hot')],
  writing: [some('update', 1, 'warm'), some('mixed', 1, 'warm')],
};

export const fullWorkloads: Workloads = {
  limited: [
    ...(['uniform', 'zipf'] as const).flatMap((distribution) => [
      get(distribution, 1, 'cold'),
      get(distribution, 16, 'cold'),
      get(distribution, 128, 'cold'),
    ]),
    get('absent', 128, 'cold'),
    some('get_many', 1, 'cold'),
    some('range', 1, 'cold'),
    ...(['uniform', 'zipf'] as const).flatMap((distribution) => [
      get(distribution, 1, 'warm'),
      get(distribution, 16, 'warm'),
      get(distribution, 128, 'warm'),
    ]),
  ],
  hot: [hotGet, get('zipf', 128, 'hot'), some('get_many', 1, 'hot'), some('range', 1, 'hot')],
  writing: [some('update', 1, 'warm'), some('mixed', 1, 'warm')],
};
