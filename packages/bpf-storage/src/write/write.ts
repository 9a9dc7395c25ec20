/** Writes as callers give them, and as the memtable takes them. */
import { ExopoolError } from '@exopool/shared';
import { tombstone, type Tombstone } from '../format/entry.js';
import { copyValue, toRowKey, type Bytes, type RowKey } from '../format/row-key.js';

/** One write of a batch. */
export type BatchOperation<Key = Bytes, Value = Bytes> =
  | { readonly type: 'put'; readonly key: Key; readonly value: Value }
  | { readonly type: 'del'; readonly key: Key };

export interface Write {
  readonly key: RowKey;
  readonly value: Buffer | Tombstone;
}

/** A checked copy. @throws ExopoolError `EXOPOOL_INVALID`. */
export function toWrite(operation: BatchOperation): Write {
  const type = (operation as { type: unknown } | null | undefined)?.type;
  if (type !== 'put' && type !== 'del') {
    const message = `an operation of a batch has the type "put" or "del", not ${String(type)}`;
    throw new ExopoolError('EXOPOOL_INVALID', message);
  }
  const key = toRowKey(operation.key);
  return { key, value: operation.type === 'put' ? copyValue(operation.value) : tombstone };
}
