/** Count, sum, least and greatest of a number that stands at one place in every value, in one pass. */
import { ExopoolError } from '@exopool/shared';
import { EXO_VALUE_MAX } from './format.js';
import { integer } from './store-options.js';
import type { PresentEntry } from './view.js';

const readers = {
  u8: { bytes: 1, read: (value: Buffer, at: number) => value.readUInt8(at) },
  u16le: { bytes: 2, read: (value: Buffer, at: number) => value.readUInt16LE(at) },
  u32le: { bytes: 4, read: (value: Buffer, at: number) => value.readUInt32LE(at) },
  i32le: { bytes: 4, read: (value: Buffer, at: number) => value.readInt32LE(at) },
  f32le: { bytes: 4, read: (value: Buffer, at: number) => value.readFloatLE(at) },
  f64le: { bytes: 8, read: (value: Buffer, at: number) => value.readDoubleLE(at) },
} as const;

export interface NumberField {
  /** Bytes from the start of the value. */
  readonly offset: number;
  readonly type: keyof typeof readers;
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
  if (Object.hasOwn(readers, field.type)) return field;
  const types = Object.keys(readers).join(', ');
  throw new ExopoolError('EXOPOOL_INVALID', `field.type is one of ${types}, not ${field.type as string}`);
}

/** @param field `undefined` to count only. */
export async function aggregateOf(
  entries: AsyncIterable<PresentEntry>,
  field: NumberField | undefined,
): Promise<Aggregate> {
  const total = { count: 0, withField: 0, sum: 0 };
  let [min, max] = [Infinity, -Infinity];
  for await (const { value } of entries) {
    total.count += 1;
    if (field === undefined || value.length < field.offset + readers[field.type].bytes) continue;
    const number = readers[field.type].read(value, field.offset);
    total.withField += 1;
    total.sum += number;
    min = Math.min(min, number);
    max = Math.max(max, number);
  }
  return total.withField === 0 ? { ...total, min: undefined, max: undefined } : { ...total, min, max };
}
