import type * as nodeTimers from 'node:timers/promises';
import { setImmediate } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { CommitLog } from '../log/commit-log.js';
import { noLog } from '../log/log-format.js';
import { Memtables } from './memtable.js';
import { inFolder } from '../testing/folder.js';
import { WritePath } from './write-path.js';
import { slowTables, stopTables } from '../compaction/write-pressure.js';
import { toWrite } from './write.js';

const sleeps = vi.hoisted(() => ({ count: 0 }));
vi.mock('node:timers/promises', async (importOriginal) => {
  const timers = await importOriginal<typeof nodeTimers>();
  const setTimeout: typeof timers.setTimeout = (...words) => {
    sleeps.count += 1;
    return timers.setTimeout(...words);
  };
  return { ...timers, setTimeout };
});

const large = [toWrite({ type: 'put', key: 'large', value: Buffer.alloc(16 << 20) })];
const small = [toWrite({ type: 'put', key: 'small', value: 'value' })];

/** With `stopTables` tables, which makes the write after the large one wait for two minutes. */
async function withSlowWrites(work: (writes: WritePath, tables: { count: number }) => Promise<void>) {
  await inFolder(async (folder) => {
    const tables = { count: stopTables };
    const log = new CommitLog({ folder, previous: noLog, next: 1 });
    const writes = new WritePath(new Memtables(), log, {
      memtableBytes: 64 << 20,
      hasOldLogs: false,
      written: () => Promise.resolve(),
      makeRoom: () => Promise.reject(new Error('there is room')),
      tables: () => tables.count,
    });
    await writes.write(large, false, () => undefined);
    await work(writes, tables);
    await log.seal(() => undefined);
    writes.memtables.close();
  });
}

it('lets a writer that was slowed down go once there are few tables', async () => {
  await withSlowWrites(async (writes, tables) => {
    const writing = Promise.all([small, small].map((write) => writes.write(write, true, () => undefined)));
    expect(await Promise.race([writing.then(() => 'done'), setImmediate('waits')])).toBe('waits');
    tables.count = 1;
    await writing;
    expect(writes.writes).toBe(3);
  });
});

it('tells a writer that was slowed down that the store was closed', async () => {
  await withSlowWrites(async (writes) => {
    let isClosed = false;
    const writing = writes.write(small, true, () => {
      if (isClosed) throw new Error('closed');
    });
    isClosed = true;
    await expect(writing).rejects.toThrow('closed');
    expect(writes.writes).toBe(1);
  });
});

it('lets small writes wait together for what they take', async () => {
  await withSlowWrites(async (writes, tables) => {
    tables.count = slowTables;
    const before = sleeps.count;
    await Promise.all(Array.from({ length: 2000 }, () => writes.write(small, false, () => undefined)));
    expect(sleeps.count - before).toBeLessThan(100);
  });
});
