import path from 'node:path';
import { needs } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';
import { makeTable, type TestTable } from './testing/table.js';

const reason = whyNoGuests();
const script = path.join(import.meta.dirname, 'testing', 'guest-safety.mjs');
const entries = 20_000;
const rounds = 2000;
const changes = 300;
/** Codes that lookups in a damaged file may fail with; the last one if its extents have holes. */
const typed = ['EXOPOOL_CORRUPT', 'EXOPOOL_IO', 'EXOPOOL_NOT_FOUND', 'EXOPOOL_UNSUPPORTED'];
const engines = ['pread', 'io-uring', 'page-cache-bpf', 'io-uring-bpf', 'nvme-bpf'];
let table: TestTable;

beforeAll(async () => {
  table = await makeTable(entries);
});
afterAll(() => table.remove());

/** The output of guest-safety.mjs for a file that another process changes. */
interface Changed {
  readonly status: number;
  readonly wrong: number;
  readonly right: number;
  readonly codes: readonly string[];
  readonly stale: number;
}
interface Found {
  readonly 'nvme-bpf': Changed;
  readonly 'io-uring-bpf': Changed;
  readonly removed: { readonly underWay: string; readonly after: string };
  readonly [step: string]: unknown;
}

describe('chains in a file that changes', needs('guests', reason), () => {
  it(
    'give right answers or typed errors, and leave nothing behind',
    { timeout: guestTimeoutMs },
    async () => {
      const words = JSON.stringify({ table: table.path, entries, rounds, changes });
      const options = { nvmeBytes: 256 << 20 };
      const { status, out, err } = await runScript(
        '7.2',
        `exec '${process.execPath}' '${script}' '${words}'`,
        options,
      );
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const found = JSON.parse(out.toString()) as Found;
      expect(found).toMatchObject({
        pinned: {
          answers: { right: rounds },
          refusals: { EPERM: rounds },
          punch: true,
          defragment: true,
          left: false,
        },
        astray: Object.fromEntries(engines.map((engine) => [engine, { EXOPOOL_CORRUPT: 6 }])),
        killed: { more: 1, left: true, after: false },
      });
      for (const engine of ['nvme-bpf', 'io-uring-bpf'] as const) {
        const { right, codes, ...rest } = found[engine];
        expect(rest).toMatchObject({ status: 0, wrong: 0 });
        expect(right).toBeGreaterThan(changes);
        expect(typed).toEqual(expect.arrayContaining([...codes]));
      }
      expect(found['nvme-bpf'].stale).toBeGreaterThan(0);
      expect(['right', 'EXOPOOL_IO']).toContain(found.removed.underWay);
      expect(found.removed.after).toBe('EXOPOOL_IO');
    },
  );
});
