/** Writes a whole table from a cursor: what a flush, a load and a sorted run have in common. */
import { setImmediate } from 'node:timers/promises';
import { throwIfAborted } from './abort.js';
import { tombstone, type Cursor, type Entry } from './cursor.js';
import { TableWriter, type TableSummary, type TableWriterOptions } from './table-writer.js';

/** Bytes of a table written between two pauses: under a millisecond of merging. */
export const sliceBytes = 64 * 1024;

export interface WriteTableHooks {
  readonly signal?: AbortSignal | undefined;
  /** Leaves tombstones out: right when there is no older table. Default false. */
  readonly dropTombstones?: boolean;
  /** Called after each {@link sliceBytes} written, to let others run. Default: a turn of the event loop. */
  pause?(): Promise<void>;
  /** Called for each entry before it is written, tombstones included; a promise is waited for. */
  onEntry?(entry: Entry, bytesWritten: number): Promise<void> | undefined;
}

/**
 * Writes everything that `cursor` gives, and removes the file when anything fails.
 * @throws ExopoolError `EXOPOOL_ABORTED` when the signal fires, and as {@link TableWriter}.
 */
export async function writeTable(
  options: TableWriterOptions,
  cursor: Cursor,
  hooks: WriteTableHooks = {},
): Promise<TableSummary> {
  const writer = await TableWriter.create(options);
  let sliceEnd = sliceBytes;
  try {
    for (;;) {
      const wait = cursor.next();
      if (wait !== undefined) await wait;
      if (cursor.entry === undefined) break;
      const { key, value } = cursor.entry;
      const hook = hooks.onEntry?.(cursor.entry, writer.bytes);
      if (hook !== undefined) await hook;
      if (value === tombstone && hooks.dropTombstones === true) continue;
      if (!writer.add(key, value)) {
        await writer.drain();
        throwIfAborted(hooks.signal);
      }
      if (writer.bytes >= sliceEnd) {
        sliceEnd = writer.bytes + sliceBytes;
        await (hooks.pause?.() ?? setImmediate());
      }
    }
    throwIfAborted(hooks.signal);
    return await writer.finish();
  } catch (error) {
    await writer.abort();
    throw error;
  }
}
