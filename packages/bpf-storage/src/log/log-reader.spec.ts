/** What a crash may leave of a log is read up to a frame boundary; what a crash cannot have done is refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { frameHeaderBytes, logHeaderBytes } from './log-format.js';
import { batchArbitrary, batchText, buildLog, loseSectors, readAll, type Batch } from '../testing/log.js';

const damaged = (offset?: number) =>
  expect.objectContaining({
    code: 'EXOPOOL_CORRUPT',
    message: expect.stringContaining(
      `/s/000007.log: ${offset === undefined ? '' : 'the frame does not verify'}`,
    ) as string,
  }) as Error;

const logs = fc
  .array(fc.tuple(batchArbitrary, fc.boolean()), { minLength: 1, maxLength: 12 })
  .map((frames) => ({
    batches: frames.map(([batch]) => batchText(batch)),
    log: buildLog(
      frames.map(([batch]) => batch),
      frames.map(([, sync]) => sync),
    ),
  }));

/** How many whole frames end at or before `offset`. */
const framesBefore = (offsets: readonly number[], offset: number): number =>
  offsets.slice(1).filter((end) => end <= offset).length;

describe('LogReader', () => {
  it('gives back what was written', async () => {
    await fc.assert(
      fc.asyncProperty(logs, async ({ batches, log }) => {
        expect(await readAll(log.bytes)).toEqual({ batches, end: log.bytes.length });
        expect(await readAll(log.bytes, log.bytes.length)).toEqual({ batches, end: log.bytes.length });
      }),
    );
  });

  it('takes every synced frame and a prefix of the others from what power loss leaves', async () => {
    const fates = fc.array(fc.constantFrom(0, 0, 0, 1, 2), { minLength: 1, maxLength: 40 });
    const ends = fc.oneof(fc.constant(1), fc.double({ min: 0, max: 1, noNaN: true }));
    let torn = 0;
    await fc.assert(
      fc.asyncProperty(logs, fates, ends, async ({ batches, log }, fate, endShare) => {
        const { batches: found, end } = await readAll(loseSectors(log.bytes, log.synced, fate, endShare));
        expect(found).toEqual(batches.slice(0, found.length));
        expect(end).toBe(log.offsets[found.length]);
        expect(end).toBeGreaterThanOrEqual(log.synced);
        if (found.length < batches.length) torn += 1;
      }),
      { numRuns: 1000 },
    );
    expect(torn).toBeGreaterThan(100);
  });

  it('refuses a changed byte that a later frame knows to have been on disk, and never gives a wrong value', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(
        logs,
        fc.nat(),
        fc.integer({ min: 1, max: 255 }),
        async ({ batches, log }, where, flip) => {
          const at = logHeaderBytes + (where % (log.bytes.length - logHeaderBytes));
          const bytes = Buffer.from(log.bytes);
          bytes[at]! ^= flip;
          const hit = framesBefore(log.offsets, at);
          const result = await readAll(bytes).catch((error: unknown) => error);
          if (result instanceof Error) {
            expect(result).toEqual(damaged(log.offsets[hit]));
            expect(result.message).toContain(`offset ${log.offsets[hit]!}`);
            refused += 1;
            return;
          }
          const { batches: found } = result as { batches: string[] };
          // A byte of the padding between two frames means nothing.
          expect([hit, batches.length]).toContain(found.length);
          expect(found).toEqual(batches.slice(0, found.length));
          if (found.length < batches.length)
            expect(lastMark(log.bytes, log.offsets)).toBeLessThanOrEqual(log.offsets[hit]!);
          // Where a successor says that the log ends, nothing may be missing.
          if (found.length < batches.length)
            await expect(readAll(bytes, bytes.length)).rejects.toEqual(damaged(0));
        },
      ),
      { numRuns: 1000 },
    );
    expect(refused).toBeGreaterThan(100);
  });

  it('refuses a log that ends before its successor says, and ignores what follows that end', async () => {
    const batch: Batch = [{ key: Buffer.from('k'), value: Buffer.from('v') }];
    const { bytes, offsets } = buildLog([batch, batch, batch], [true, false, false]);
    await expect(readAll(bytes.subarray(0, offsets[2]), offsets[3])).rejects.toEqual(damaged(0));
    await expect(readAll(bytes, offsets[2]! + 8)).rejects.toEqual(damaged(0));
    expect(await readAll(bytes, offsets[1])).toEqual({ batches: ['k=v'], end: offsets[1] });
  });

  it('reads frames longer than its window, and finds witnesses far behind', async () => {
    const large: Batch = [{ key: Buffer.from('large'), value: Buffer.alloc(5_000_000, 7) }];
    const small: Batch = [{ key: Buffer.from('small'), value: Buffer.from('v') }];
    const { bytes, offsets } = buildLog([small, large, large, small], [true, true, true, true]);
    expect((await readAll(bytes)).batches.map(({ length }) => length)).toEqual([7, 5_000_006, 5_000_006, 7]);
    const broken = Buffer.from(bytes);
    broken[offsets[1]! + 4_000_000]! ^= 1;
    broken.fill(0, offsets[2], offsets[2]! + frameHeaderBytes);
    await expect(readAll(broken)).rejects.toEqual(damaged(offsets[1]));
  });

  it('takes no value for a frame, though it is a copy of one', async () => {
    const small: Batch = [{ key: Buffer.from('k'), value: Buffer.from('v') }];
    const inner = buildLog([small, small], [true, true]).bytes;
    const { bytes, offsets } = buildLog([small, [{ key: Buffer.from('log'), value: inner }]], [false, false]);
    const broken = Buffer.from(bytes);
    broken[offsets[0]! + frameHeaderBytes]! ^= 1;
    expect(await readAll(broken)).toEqual({ batches: [], end: offsets[0] });
  });
});

/** The greatest sync mark of the frames. */
function lastMark(bytes: Buffer, offsets: readonly number[]): number {
  return bytes.readUInt32LE(offsets.at(-2)! + 16);
}
