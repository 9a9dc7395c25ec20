import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { buildTraversal } from '@exopool/bpf-storage';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';

const reason = whyNoGuests();
const script = path.join(import.meta.dirname, 'testing', 'guest-traversals.mjs');
const examples = path.resolve(import.meta.dirname, '../../../packages/bpf-storage/examples');
const rows = 5000;
let folder: string;

/** Bodies that break a rule, chosen by the first byte of the input, and the way in which their chain ends. */
const hostile: readonly (readonly [body: string, end: string])[] = [
  ['return go_to(t, 0);', 'bound'],
  ['return go_to(t, 1ull << 40);', 'outside'],
  ['return go_to(t, -4096ll);', 'outside'],
  ['return go_to(t, 17);', 'unaligned'],
  ['return 77 + (int)block_u8(t, 0);', 'garbage'],
  ['*(volatile __u8 *)(unsigned long)t->input += 1; return TRAVERSAL_DONE;', 'wroteInput'],
];
const endless = 'for (;;) {\n  if (block_u8(t, 0) == 0) return TRAVERSAL_DONE;\n  t->state[0] += 1;\n}';

/** Builds a `next` that starts at the file's first block. */
function buildBody(name: string, body: string): void {
  const source = path.join(folder, `${name}.c`);
  const first = 'static __u64 first(struct traversal *t) { return 0; }';
  writeFileSync(
    source,
    `#include <traversal.h>\n${first}\nstatic int next(struct traversal *t) {\n${body}\n}\n`,
  );
  buildTraversal(source, path.join(folder, name));
}

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'exopool-traversals-'));
  if (reason !== undefined) return;
  buildTraversal(path.join(examples, 'sqlite-rowid.c'), path.join(folder, 'rowid'));
  const cases = hostile.map(([body], i) => `case ${i}: { ${body} }`).join('\n');
  buildBody('hostile', `switch (input_u8(t, 0)) {\n${cases}\n} return TRAVERSAL_DONE;`);
  buildBody('endless', endless);
  const commands = `CREATE TABLE r(id INTEGER PRIMARY KEY, b);
    WITH RECURSIVE c(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM c WHERE i < ${rows})
    INSERT INTO r SELECT i, randomblob(abs(random()) % CASE WHEN i % 50 = 0 THEN 9000 ELSE 200 END) FROM c;`;
  const made = spawnSync('sqlite3', [path.join(folder, 'rows.db')], { input: commands });
  if (made.status !== 0) throw new Error(String(made.stderr));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('traversals in guests', needs('guests', reason), () => {
  it('of Linux 7 give by every engine what pread gives', { timeout: guestTimeoutMs }, async () => {
    const words = JSON.stringify({ folder, rows, hostile: hostile.length });
    const { status, out, err } = await runScript('7.2', `exec '${process.execPath}' '${script}' '${words}'`, {
      nvmeBytes: 256 << 20,
    });
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const found = JSON.parse(out.toString()) as Record<string, Record<string, unknown>>;
    for (const engine of ['page-cache-bpf', 'io-uring-bpf', 'nvme-bpf']) {
      expect({ engine, ...found[engine] }).toMatchObject({
        engine,
        differences: 0,
        done: rows,
        // Only rows with a record of more than 4 KiB finish at user level.
        returned: { user: found['pread']!['long'], io: 0, stale: 0, straddle: 0, going: 0 },
        broken: hostile.map(([, end]) => `EXOPOOL_TRAVERSAL ${end}`),
        endless: 'EXOPOOL_TRAVERSAL',
      });
    }
    expect(found['nvme-bpf']).toMatchObject({ pinned: 'EPERM', unpinned: 'done' });
  });
});
