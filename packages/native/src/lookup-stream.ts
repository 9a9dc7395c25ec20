/**
 * Single keys, looked up on the ring and answered one by one.
 *
 * Keys asked for in the same turn cross into native code together; each promise settles when its own key is found. A
 * few reads of a device take ten times as long as the others, and nobody else waits for those.
 */
import { tableError, tableBinding, type TableFailure, type TableHandle } from './table-binding.js';

/** A key of which nobody knows the value yet. */
export interface AwaitedKey {
  readonly key: Buffer;
  readonly resolve: (value: Buffer | null | undefined) => void;
  readonly reject: (error: unknown) => void;
}

interface InFlight extends AwaitedKey {
  readonly path: string;
}

const deleted = -2;
const failed = -3;
const wordBytes = 4;
/** Tokens are 32-bit numbers in native code. */
const tokens = 2 ** 32;

const inFlight = new Map<number, InFlight>();
let nextToken = 0;
let stream: object | undefined;

/** Looks the keys up in the table at `path`, on the ring. */
export function streamLookups(path: string, handle: TableHandle, awaited: readonly AwaitedKey[]): void {
  const binding = tableBinding();
  stream ??= binding.openLookupStream(receive);
  if (nextToken + awaited.length > tokens) nextToken = 0;
  const firstToken = nextToken;
  for (const { key, resolve, reject } of awaited) inFlight.set(nextToken++, { path, key, resolve, reject });
  binding.streamLookups(
    stream,
    handle,
    awaited.map(({ key }) => key),
    firstToken,
  );
}

/** The answers that are there: see addon/table_stream.hh. */
function receive(packed: Buffer, failures: readonly TableFailure[]): void {
  const count = packed.readUInt32LE(0);
  let valueAt = wordBytes + 2 * wordBytes * count;
  let failure = 0;
  for (let at = wordBytes, end = valueAt; at < end; at += 2 * wordBytes) {
    const token = packed.readUInt32LE(at);
    const length = packed.readInt32LE(at + wordBytes);
    const { path, resolve, reject } = inFlight.get(token)!;
    inFlight.delete(token);
    if (length === failed) reject(tableError(path, failures[failure++]!));
    else if (length < 0) resolve(length === deleted ? null : undefined);
    else resolve(packed.subarray(valueAt, (valueAt += length)));
  }
}
