import { readdir } from 'node:fs/promises';
import fc from 'fast-check';
import { describe, expect, it, vi } from 'vitest';
import { CommitLog, lateAgainMs, lateBytesMax, lateMs } from './commit-log.js';
import { encodeFrame, noLog } from './log-format.js';
import { Logs, removeLogs } from './logs.js';
import { withFaults, type Fault } from '../testing/disk-faults.js';
import { inFolder } from '../testing/folder.js';
import { decodePayload } from '../testing/log.js';

/** Commits numbered from 1, and what became of them. */
class Writer {
  readonly log: CommitLog;
  /** In the order in which they became visible. */
  readonly applied: number[] = [];
  /** How many of `applied` are in tables, as it were. */
  flushed = 0;
  /** How many of `applied` must survive power loss. */
  durable = 0;
  readonly rejected: number[] = [];
  #floor = 1;
  #next = 1;

  constructor(private readonly folder: string) {
    this.log = new CommitLog({ folder, previous: noLog, next: 1 });
  }

  async commit(sync: boolean, valueBytes = 10): Promise<void> {
    const number = this.#next++;
    const frame = encodeFrame([{ key: Buffer.from(String(number)), value: Buffer.alloc(valueBytes) }]);
    const apply = (): Promise<void> => {
      this.applied.push(number);
      return Promise.resolve();
    };
    try {
      await this.log.commit({ frame, memoryBytes: frame.length, sync, apply });
      const position = this.applied.indexOf(number) + 1;
      expect(position).toBeGreaterThan(0);
      if (sync) this.durable = Math.max(this.durable, position);
    } catch {
      expect(this.applied).not.toContain(number);
      this.rejected.push(number);
    }
  }

  /** As a flush does, which may fail as well. */
  async flush(succeeds: boolean): Promise<void> {
    const { count, floor, failure } = await this.log.seal((next) => ({
      count: this.applied.length,
      floor: next,
      failure: this.log.failure,
    }));
    if (!succeeds) return;
    this.flushed = count;
    this.#floor = floor;
    this.log.recovered(failure);
    await removeLogs(this.folder, floor);
  }

  /** The numbers that a process which opens the logs now finds in them. */
  async replayed(): Promise<number[]> {
    const numbers: number[] = [];
    const logs = await Logs.open(this.folder, this.#floor);
    try {
      await logs.replay(({ payload }) => {
        numbers.push(...decodePayload(payload)!.map(({ key }) => Number(key.toString())));
        return undefined;
      });
    } finally {
      await logs.close();
    }
    return numbers;
  }
}

type Step =
  | { readonly type: 'commits'; readonly syncs: readonly boolean[]; readonly wait: boolean }
  | { readonly type: 'flush'; readonly succeeds: boolean };

const steps: fc.Arbitrary<readonly Step[]> = fc.array(
  fc.oneof(
    { weight: 4, arbitrary: commitsStep() },
    {
      weight: 1,
      arbitrary: fc.record({ type: fc.constant('flush' as const), succeeds: fc.boolean() }),
    },
  ),
  { maxLength: 20 },
);

function commitsStep(): fc.Arbitrary<Step> {
  return fc.record({
    type: fc.constant('commits' as const),
    syncs: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
    wait: fc.boolean(),
  });
}

async function run(writer: Writer, plan: readonly Step[]): Promise<void> {
  const running: Promise<void>[] = [];
  for (const step of plan) {
    // As the store does: after a failure a flush comes first.
    if (writer.log.failure !== undefined) await writer.flush(true);
    if (step.type === 'flush') await writer.flush(step.succeeds);
    else running.push(...step.syncs.map((sync) => writer.commit(sync)));
    if (step.type === 'commits' && step.wait) await Promise.all(running);
  }
  await Promise.all(running);
}

describe('CommitLog', () => {
  it('whatever fails, applies what it acknowledges, and loses nothing that it said is on disk', async () => {
    const faults = fc.array(
      fc.constantFrom<Fault | undefined>(undefined, undefined, 'write', 'sync', 'folder'),
      {
        maxLength: 40,
      },
    );
    await fc.assert(
      fc.asyncProperty(steps, faults, async (plan, failing) => {
        await inFolder(async (folder) => {
          const writer = new Writer(folder);
          let calls = 0;
          await withFaults(
            (fault) => failing[calls++] === fault,
            () => run(writer, plan),
          );
          const hasFailed = writer.log.failure !== undefined;
          const found = await writer.replayed();
          const unflushed = writer.applied.slice(writer.flushed);
          const common = found.findIndex((number, index) => number !== unflushed[index]);
          const kept = common < 0 ? found.length : common;
          expect(writer.flushed + kept).toBeGreaterThanOrEqual(writer.durable);
          // What was rejected may be on a disk that failed to sync, until the next log says otherwise.
          if (!hasFailed) expect(kept).toBe(found.length);
          await writer.flush(true);
          await writer.commit(true);
          expect(await writer.replayed()).toEqual([writer.applied.at(-1)]);
          await writer.flush(true);
          expect(await readdir(folder)).toEqual([]);
        });
      }),
      { numRuns: 60 },
    );
  });

  it('syncs once for all who wait', async () => {
    await inFolder(async (folder) => {
      const writer = new Writer(folder);
      await Promise.all(Array.from({ length: 500 }, (_, index) => writer.commit(index % 10 === 0)));
      expect(writer.log.counts).toMatchObject({ commits: 500, logSyncs: 1 });
      expect(await writer.replayed()).toEqual(writer.applied);
      await writer.flush(true);
    });
  });

  it('hands to the kernel what need not be synced after a while, or at once when it is much', async () => {
    await inFolder(async (folder) => {
      const writer = new Writer(folder);
      vi.useFakeTimers({ toFake: ['setTimeout'] });
      try {
        await writer.commit(false);
        expect(await writer.replayed()).toEqual([]);
        vi.advanceTimersByTime(lateMs);
      } finally {
        vi.useRealTimers();
      }
      await expect.poll(() => writer.replayed()).toEqual([1]);
      await writer.commit(false);
      await writer.commit(false, lateBytesMax);
      expect(await writer.replayed()).toEqual([1, 2, 3]);
      expect(writer.log.counts).toMatchObject({ commits: 3, logSyncs: 0 });
      await writer.flush(true);
    });
  });

  it('hands over what is late once there is space again, also when nobody commits', async () => {
    await inFolder(async (folder) => {
      const writer = new Writer(folder);
      let attempts = 0;
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      try {
        await withFaults(
          (fault) => fault === 'write' && (attempts += 1) > 0,
          async () => {
            await writer.commit(false);
            vi.advanceTimersByTime(lateMs);
            await expect.poll(() => [attempts, vi.getTimerCount()]).toEqual([1, 1]);
            vi.advanceTimersByTime(lateAgainMs);
            await expect.poll(() => [attempts, vi.getTimerCount()]).toEqual([2, 1]);
            await writer.commit(true);
            expect([attempts, writer.rejected, vi.getTimerCount()]).toEqual([3, [2], 1]);
          },
        );
        expect(await writer.replayed()).toEqual([]);
        vi.advanceTimersByTime(lateAgainMs);
      } finally {
        vi.useRealTimers();
      }
      await expect.poll(() => writer.replayed()).toEqual([1]);
      await writer.flush(true);
    });
  });

  it('writes what is late before a seal, and keeps the order of commits that are synced and that are not', async () => {
    await inFolder(async (folder) => {
      const writer = new Writer(folder);
      const running = [true, false, true, false].map((sync) => writer.commit(sync));
      await writer.flush(false);
      await Promise.all([...running, writer.commit(false), writer.commit(true)]);
      expect(writer.applied).toEqual([1, 2, 3, 4, 5, 6]);
      expect(await writer.replayed()).toEqual([1, 2, 3, 4, 5, 6]);
      expect(await readdir(folder)).toEqual(['000001.log', '000002.log']);
      await writer.flush(true);
    });
  });

  it('rejects commits after a failed sync until what was applied is in a table', async () => {
    await inFolder(async (folder) => {
      const writer = new Writer(folder);
      await writer.commit(true);
      await withFaults(
        (fault) => fault === 'sync',
        () => writer.commit(true),
      );
      await writer.commit(true);
      await writer.commit(false);
      expect(writer.rejected).toEqual([2, 3, 4]);
      expect(writer.log.failure).toMatchObject({ code: 'EXOPOOL_IO' });
      await writer.flush(false);
      await writer.commit(true);
      expect(writer.rejected).toEqual([2, 3, 4, 5]);
      await writer.flush(true);
      await writer.commit(true);
      expect(writer.applied).toEqual([1, 6]);
      expect(await writer.replayed()).toEqual([6]);
      await writer.flush(true);
    });
  });

  it('goes on in the same log when a full disk has space again', async () => {
    await inFolder(async (folder) => {
      const writer = new Writer(folder);
      await writer.commit(true);
      await withFaults(
        (fault) => fault === 'write',
        async () => {
          await Promise.all([writer.commit(true), writer.commit(false)]);
          await writer.commit(false);
        },
      );
      await writer.commit(true);
      expect([writer.applied, writer.rejected]).toEqual([
        [1, 4, 5],
        [2, 3],
      ]);
      expect(await writer.replayed()).toEqual([1, 4, 5]);
      expect(await readdir(folder)).toEqual(['000001.log']);
      await writer.flush(true);
    });
  });

  it('rejects a commit that cannot be applied, and takes no more until its log is gone', async () => {
    await inFolder(async (folder) => {
      const writer = new Writer(folder);
      const frame = encodeFrame([{ key: Buffer.from('0'), value: Buffer.alloc(1) }]);
      const apply = (): Promise<void> => {
        throw new Error('no memory');
      };
      const failing = writer.log.commit({ frame, memoryBytes: frame.length, sync: true, apply });
      await Promise.all([expect(failing).rejects.toThrow('no memory'), writer.commit(true)]);
      await writer.commit(true);
      expect([writer.applied, writer.rejected]).toEqual([[1], [2]]);
      await writer.flush(true);
      await writer.commit(true);
      expect(writer.applied).toEqual([1, 3]);
      expect(await writer.replayed()).toEqual([3]);
      await writer.flush(true);
    });
  });
});
