/** Aggregates: count, sum, minimum and maximum of one number that every value holds at the same offset. */
import { numberTypes, scanTotals, type NumberType } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { throwIfAborted } from './base/abort.js';
import { EXO_VALUE_MAX } from './format/format.js';
import { integer } from './base/integer.js';
import type { RangeQuery } from './store-options.js';
import type { View } from './view.js';

/** A number in every value. */
export interface NumberField {
  /** Bytes from the start of the value. */
  readonly offset: number;
  /** Its width and byte order, such as `u32le`. */
  readonly type: NumberType;
}

/** The result of {@link Store.aggregate}. */
export interface Aggregate {
  /** Entries in the range. */
  readonly count: number;
  /** Entries whose value is long enough to hold the field. Only they count in the figures below. */
  readonly withField: number;
  readonly sum: number;
  /** `undefined` if no value holds the field. */
  readonly min: number | undefined;
  readonly max: number | undefined;
}

/** @throws ExopoolError `EXOPOOL_INVALID` for a negative offset or an unknown type. */
export function checkField(field: NumberField): NumberField {
  integer('field.offset', field.offset, 0, EXO_VALUE_MAX);
  if (numberTypes.includes(field.type)) return field;
  const types = numberTypes.join(', ');
  throw new ExopoolError(
    'EXOPOOL_INVALID',
    `field.type must be one of ${types}, not ${field.type as string}`,
  );
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
