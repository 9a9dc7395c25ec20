import fc from 'fast-check';
import { tombstone, type Entry } from '../format/entry.js';
import { EXO_KEY_MAX, EXO_VALUE_MAX } from '../format/format.js';
import {
  encodeFrame,
  encodeLogHeader,
  frameSeed,
  logHeaderBytes,
  noLog,
  operationHeaderBytes,
  placeFrame,
} from '../log/log-format.js';
import { LogReader, type LogBytes } from '../log/log-reader.js';
import { keyArbitrary, valueArbitrary } from './table.js';

export type Batch = readonly Entry[];

export const entryArbitrary: fc.Arbitrary<Entry> = fc.oneof(
  fc.record({ key: keyArbitrary, value: valueArbitrary }),
  fc.record({ key: keyArbitrary, value: fc.constant(tombstone) }),
);
export const batchArbitrary: fc.Arbitrary<Batch> = fc.array(entryArbitrary, { minLength: 1, maxLength: 5 });

export interface BuiltLog {
  readonly bytes: Buffer;
  /** Where each frame starts, and the end. */
  readonly offsets: readonly number[];
  /** Up to here it was synced. */
  readonly synced: number;
}

/** A log as the writer makes it. `syncs[i]` says whether there was a sync after frame i. */
export function buildLog(batches: readonly Batch[], syncs: readonly boolean[]): BuiltLog {
  const id = 0x0123456789abcdefn;
  const pieces = [encodeLogHeader({ id, number: 7, previous: noLog })];
  const offsets = [logHeaderBytes];
  let synced = logHeaderBytes;
  for (const [index, batch] of batches.entries()) {
    const frame = encodeFrame(batch);
    const offset = offsets.at(-1)!;
    placeFrame(frame, { seed: frameSeed(id), offset }, synced);
    pieces.push(frame);
    offsets.push(offset + frame.length);
    if (syncs[index] === true) synced = offset + frame.length;
  }
  return { bytes: Buffer.concat(pieces), offsets, synced };
}

export function memoryFile(bytes: Buffer): LogBytes {
  const read = (target: Buffer, at: number, length: number, position: number) =>
    Promise.resolve({ buffer: target, bytesRead: bytes.copy(target, at, position, position + length) });
  return { read: read as unknown as LogBytes['read'] };
}

/** A batch as text: two are compared faster than as buffers. */
export function batchText(batch: Batch): string {
  const texts = batch.map(({ key, value }) => {
    return `${key.toString('latin1')}${value === tombstone ? ' gone' : `=${value.toString('latin1')}`}`;
  });
  return texts.join('\n');
}

/** Everything in a log as text, and where it ends. */
export async function readAll(bytes: Buffer, end?: number): Promise<{ batches: string[]; end: number }> {
  const reader = await LogReader.open('/s/000007.log', memoryFile(bytes), bytes.length);
  const batches: string[] = [];
  const walk = reader.batches(end);
  for (let next = await walk.next(); ; next = await walk.next()) {
    if (next.done === true) return { batches, end: next.value };
    batches.push(batchText(decodePayload(next.value.payload)!));
  }
}

const sectorBytes = 512;

/**
 * What power loss may leave of a log: past `synced` any end, and each sector by its fate on disk (0), not on disk (1),
 * or with other old content (2).
 */
export function loseSectors(
  bytes: Buffer,
  synced: number,
  fates: readonly number[],
  endShare: number,
): Buffer {
  const end = synced + Math.round((bytes.length - synced) * endShare);
  const left = Buffer.from(bytes.subarray(0, end));
  for (let sector = Math.floor(synced / sectorBytes); sector * sectorBytes < end; sector += 1) {
    const start = Math.max(synced, sector * sectorBytes);
    const fate = fates[sector % fates.length]!;
    if (fate > 0) left.fill(fate === 1 ? 0 : 0xa5, start, Math.min(end, (sector + 1) * sectorBytes));
  }
  return left;
}

const kindPut = 0;
const kindDelete = 2;

/** The operations of a payload; `undefined` when it contradicts itself. They are parts of `payload`. */
export function decodePayload(payload: Buffer): Entry[] | undefined {
  const entries: Entry[] = [];
  for (let at = 0; at < payload.length;) {
    if (at + operationHeaderBytes > payload.length) return undefined;
    const kind = payload.readUInt8(at);
    const keyAt = at + operationHeaderBytes;
    const valueAt = keyAt + payload.readUInt16LE(at + 2);
    at = valueAt + payload.readUInt32LE(at + 4);
    const keyFits = valueAt > keyAt && valueAt - keyAt <= EXO_KEY_MAX;
    const valueFits = at <= payload.length && at - valueAt <= EXO_VALUE_MAX;
    const kindFits = kind === kindPut || (kind === kindDelete && at === valueAt);
    if (!keyFits || !valueFits || !kindFits) return undefined;
    const value = kind === kindDelete ? tombstone : payload.subarray(valueAt, at);
    entries.push({ key: payload.subarray(keyAt, valueAt), value });
  }
  return entries;
}
