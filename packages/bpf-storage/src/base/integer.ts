/** Whole numbers that callers give. */
import { ExopoolError } from '@exopool/shared';

/** @returns `value`. @throws ExopoolError `EXOPOOL_INVALID` unless it is a whole number from `min` to `max`. */
export function integer(name: string, value: number, min: number, max: number): number {
  if (Number.isSafeInteger(value) && value >= min && value <= max) return value;
  const message = `${name} must be a whole number from ${min} to ${max}, not ${String(value)}`;
  throw new ExopoolError('EXOPOOL_INVALID', message);
}
