/** Count, sum, least and greatest of a number that stands at one place in every value, in one pass of native code. */
import { numberTypes, scanTotals, type NumberType } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { throwIfAborted } from './base/abort.js';
import { EXO_VALUE_MAX } from './format/format.js';
import { integer } from './base/integer.js';
import type { RangeQuery } from './store-options.js';
import type { View } from './view.js';

export interface NumberField {
  /** Bytes from the start of the value. */
  readonly offset: number;
  readonly type: NumberType;
}

export interface Aggregate {
  /** Entries. */
  readonly count: number;
  /** Those whose value is long enough to have the field; the others are in `count` only. */
  readonly withField: number;
  readonly sum: number;
  /** `undefined` without any field. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** @throws ExopoolError `EXOPOOL_INVALID` for a field that cannot be. */
export function checkField(field: NumberField): NumberField {
  integer('field.offset', field.offset, 0, EXO_VALUE_MAX);
  if (numberTypes.includes(field.type)) return field;
  const types = numberTypes.join(', ');
  throw new ExopoolError('EXOPOOL_INVALID', `field.type is one of ${types}, not ${field.type as string}`);
}

/**
 * Adds up a view, and closes it.
 * @param field `undefined` to count only.
 * @param mayGoOn throws to stop.
 */
export async function aggregateOf(
  view: View,
  query: RangeQuery,
  field: NumberField | undefined,
  mayGoOn: () => void,
): Promise<Aggregate> {
  const check = (): void => {
    mayGoOn();
    throwIfAborted(query.signal);
  };
  try {
    throwIfAborted(query.signal);
    const totals = await scanTotals(view.sources(query), query, field, check);
    return totals.withField === 0 ? { ...totals, min: undefined, max: undefined } : totals;
  } finally {
    view.close();
  }
}
