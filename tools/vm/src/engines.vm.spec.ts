import { existsSync } from 'node:fs';
import path from 'node:path';
import { needs, skipWithout } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';
import { makeTable, type TestTable } from './testing/table.js';

const reason = whyNoGuests();
const script = path.join(import.meta.dirname, 'testing', 'guest-engines.mjs');
const entries = 60_000;
/** Half of the keys are not in the table. */
const lookups = 100_000;
let table: TestTable;

beforeAll(async () => {
  table = await makeTable(entries);
});
afterAll(() => table.remove());

/** The output of guest-engines.mjs. */
interface Found {
  readonly support: readonly { engine: string; available: boolean; reason?: string; fix?: string }[];
  readonly [step: string]: unknown;
}

async function lookUpInGuest(kernel: string, count: number, blockBytes: 512 | 4096): Promise<Found> {
  const words = JSON.stringify({ table: table.path, lookups: count, blockBytes });
  const options = { nvmeBytes: 1100 << 20, nvmeBlockBytes: blockBytes };
  const { status, out, err } = await runScript(
    kernel,
    `exec '${process.execPath}' '${script}' '${words}'`,
    options,
  );
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return JSON.parse(out.toString()) as Found;
}

/** Engines that do not run. `driver` is always one of them, since no guest loads its module by default. */
const enginesOff = ({ support }: Found): string[] =>
  support.filter(({ available }) => !available).map(({ engine }) => engine);

/** Reason why guests have no XFS. They use the programs of this machine, from the path in guest-engines.mjs. */
function whyNoXfs(): string | undefined {
  return existsSync('/usr/sbin/mkfs.xfs') ? undefined : 'no mkfs.xfs';
}

/** The counters if all chains ended with the same answer as `pread`. */
function answered(count: number): object {
  const none = { bound: 0, stale: 0, straddle: 0, io: 0, checksum: 0, corrupt: 0 };
  return { differences: 0, chains: count, ...none };
}

describe('engines in guests', needs('guests', reason), () => {
  it(
    'of Linux 7 answer as pread does, and keep files in their places',
    { timeout: guestTimeoutMs },
    async (context) => {
      const found = await lookUpInGuest('7.2', lookups, 512);
      expect(enginesOff(found)).toEqual(['driver']);
      expect(found).toMatchObject({
        ext4Ring: { ...answered(lookups), hops: 3 * lookups },
        ext4Nvme: { ...answered(lookups), hops: 3 * lookups },
        pageCache: { differences: 0 },
        // Each change is refused while one of two readers, or the last one, pins the file.
        changed: { write: 'EPERM', truncate: 'EPERM', rename: 'EPERM', unlink: 'EPERM', afterFirst: true },
        closed: { differences: 0 },
        foreignStays: true,
        killed: { signal: 'SIGKILL', left: true, after: false },
        straddling: { differences: 0, stale: 0, io: 0, checksum: 0, corrupt: 0 },
      });
      expect(found['changed']).toMatchObject({
        punch: expect.stringContaining('Operation not permitted') as string,
        afterLast: false,
        unpinned: 'done',
      });
      expect(found['refused']).toMatch(
        /^EXOPOOL_UNSUPPORTED: .*: the file is not on a block device of its own$/,
      );
      const { straddle, done } = found['straddling'] as { straddle: number; done: number };
      expect(straddle).toBeGreaterThan(0);
      expect(done).toBeGreaterThan(0);
      expect((found['closed'] as { stale: number }).stale).toBeGreaterThan(0);
      skipWithout(context, 'xfs', whyNoXfs());
      expect(found['xfs']).toMatchObject(answered(1000));
    },
  );

  it('read devices with blocks of 4 KiB', { timeout: guestTimeoutMs }, async (context) => {
    const found = await lookUpInGuest('7.2', 1000, 4096);
    expect(found).toMatchObject({ ext4Nvme: answered(1000) });
    skipWithout(context, 'xfs', whyNoXfs());
    expect(found['xfs']).toMatchObject(answered(1000));
  });

  it(
    'of Linux 6.12 are the page cache alone, with the reason for the others',
    { timeout: guestTimeoutMs },
    async () => {
      const found = await lookUpInGuest('6.12', lookups, 512);
      expect(found['pageCache']).toEqual({ differences: 0 });
      expect(enginesOff(found)).toEqual(['io-uring-bpf', 'nvme-bpf', 'driver']);
      for (const name of ['io-uring-bpf', 'nvme-bpf']) {
        const engine = found.support.find((entry) => entry.engine === name)!;
        expect(engine.reason).toMatch(/no BPF programs in io_uring's wait loop/);
        expect(engine.fix).toMatch(/boot Linux 7\.1 or later/);
      }
    },
  );
});
