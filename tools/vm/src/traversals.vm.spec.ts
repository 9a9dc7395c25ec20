import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTraversal } from '@exopool/bpf-storage';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';

const reason = whyNoGuests();
const script = path.join(import.meta.dirname, 'testing', 'guest-traversals.mjs');
const examples = path.resolve(import.meta.dirname, '../../../packages/bpf-storage/examples');
const rows = 5000;
let folder: string;

/** Bodies of `next` that break a rule; what becomes of their chains is in the test. */
const hostile: Readonly<Record<string, string>> = {
  round: 'return go_to(t, 0);',
  outside: 'return go_to(t, 1ull << 40);',
  negative: 'return go_to(t, -4096ll);',
  between: 'return go_to(t, 17);',
  garbage: 'return 77 + (int)block_u8(t, 0);',
  input: '*(volatile __u8 *)(unsigned long)t->input += 1; return TRAVERSAL_DONE;',
  endless: 'for (;;) t->state[0] = t->state[0] * 3 + block_u8(t, 1);',
};

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-traversals-'));
  if (reason !== undefined) return;
  buildTraversal(path.join(examples, 'sqlite-rowid.c'), path.join(folder, 'rowid'));
  const first = 'static __u64 first(struct traversal *t) { return input_u64(t, 0); }';
  for (const [name, body] of Object.entries(hostile)) {
    const source = path.join(folder, `${name}.c`);
    writeFileSync(
      source,
      `#include <traversal.h>\n${first}\nstatic int next(struct traversal *t) {\n${body}\n}\n`,
    );
    buildTraversal(source, path.join(folder, name));
  }
  const commands = `CREATE TABLE r(id INTEGER PRIMARY KEY, b);
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${rows})
    INSERT INTO r SELECT i, randomblob(abs(random()) % CASE WHEN i % 50 = 0 THEN 9000 ELSE 200 END) FROM c;`;
  const made = spawnSync('sqlite3', [path.join(folder, 'rows.db')], { input: commands });
  if (made.status !== 0) throw new Error(String(made.stderr));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.skipIf(reason !== undefined)(
  `traversals in guests${reason === undefined ? '' : ` (${reason})`}`,
  () => {
    it('of Linux 7 give by every engine what pread gives', { timeout: guestTimeoutMs }, async () => {
      const words = JSON.stringify({ folder, rows, hostile: Object.keys(hostile) });
      const { status, out, err } = await runScript(
        '7.2',
        `exec '${process.execPath}' '${script}' '${words}'`,
        {
          nvmeBytes: 256 << 20,
        },
      );
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const found = JSON.parse(out.toString()) as Record<string, Record<string, unknown>>;
      for (const engine of ['page-cache-bpf', 'io-uring-bpf', 'nvme-bpf']) {
        expect({ engine, ...found[engine] }).toMatchObject({
          engine,
          differences: 0,
          done: rows,
          // Rows whose record has more than 4 KiB finish at user level, and nothing else does.
          returned: { user: found['pread']!['long'], io: 0, stale: 0, straddle: 0, going: 0 },
          round: 'EXOPOOL_TRAVERSAL: bound',
          outside: 'EXOPOOL_TRAVERSAL: outside',
          negative: 'EXOPOOL_TRAVERSAL: outside',
          between: 'EXOPOOL_TRAVERSAL: unaligned',
          garbage: 'EXOPOOL_TRAVERSAL: garbage',
          input: 'EXOPOOL_TRAVERSAL: wroteInput',
          endless: 'EXOPOOL_TRAVERSAL: refused',
        });
      }
      expect(found['nvme-bpf']).toMatchObject({ pinned: 'EPERM', unpinned: 'done' });
    });
  },
);
