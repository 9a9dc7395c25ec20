/** Writes: as callers give them, and as the store keeps them. */
import { ExopoolError } from '@exopool/shared';
import { tombstone, type Tombstone } from '../format/entry.js';
import { copyValue, toRowKey, type Bytes, type RowKey } from '../format/row-key.js';

/** One write of a batch: `put` sets a key, `del` deletes it. */
export type BatchOperation<Key = Bytes, Value = Bytes> =
  | { readonly type: 'put'; readonly key: Key; readonly value: Value }
  | { readonly type: 'del'; readonly key: Key };

/** A write with copies of its key and value. */
export interface Write {
  readonly key: RowKey;
  readonly value: Buffer | Tombstone;
}

/** Checks and copies an operation. @throws ExopoolError `EXOPOOL_INVALID`. */
export function toWrite(operation: BatchOperation): Write {
  const type = (operation as { type: unknown } | null | undefined)?.type;
  if (type !== 'put' && type !== 'del') {
    const message = `the type of an operation must be "put" or "del", not ${String(type)}`;
    throw new ExopoolError('EXOPOOL_INVALID', message);
  }
  const key = toRowKey(operation.key);
  return { key, value: operation.type === 'put' ? copyValue(operation.value) : tombstone };
}
