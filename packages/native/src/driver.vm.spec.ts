/**
 * The driver in a guest: kmod/guest/check.sh, under Debian's 6.12. The module must be built for the guest's kernel, so
 * this runs where its headers and the source of its NVMe driver are named.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { buildTable, type Entry } from './table.fixture.js';

const guestTimeoutMs = 3_600_000;
const entries = 60_000;
const headers = process.env['EXOPOOL_KMOD_HEADERS'];
const driverSource = process.env['EXOPOOL_KMOD_DRIVER_SOURCE'];

function whyNot(): string | undefined {
  if (process.env['EXOPOOL_TEST_VM'] !== '1') return 'guests are tested by: ./exopool test --vm';
  if (headers === undefined || driverSource === undefined) {
    return 'set EXOPOOL_KMOD_HEADERS and EXOPOOL_KMOD_DRIVER_SOURCE to what kmod/README.md builds with';
  }
  return undefined;
}

/** What lookup_check expects: all even numbers as keys; tombstones and values outside of the leaf among the rest. */
function* tableEntries(): Generator<Entry> {
  for (let i = 0; i < entries; i += 1) {
    const key = Buffer.from(`key-${String(2 * i).padStart(8, '0')}`);
    yield [key, i % 97 === 0 ? null : Buffer.alloc(i % 50 === 0 ? 2000 : (i % 40) + 1, i % 251)];
  }
}

const reason = whyNot();

it.skipIf(reason !== undefined)(
  `the driver keeps its promises in a guest${reason === undefined ? '' : ` (${reason})`}`,
  { timeout: guestTimeoutMs },
  () => {
    const packageFolder = path.resolve(import.meta.dirname, '..');
    const out = mkdtempSync(path.join(tmpdir(), 'exopool-driver-'));
    const node = (...args: string[]): void => {
      const { status, stdout, stderr } = spawnSync(process.execPath, args, { encoding: 'utf8' });
      expect(status, stdout + stderr).toBe(0);
    };
    try {
      node(path.join(packageFolder, 'scripts/build-guest-checks.mjs'), out);
      const sources = ['--headers', headers!, '--driver-source', driverSource!];
      node(path.join(packageFolder, 'scripts/build-kmod.mjs'), out, ...sources);
      const table = path.join(out, 'table');
      // Eight entries a page: six levels.
      writeFileSync(table, buildTable(tableEntries(), { slotsPerPage: 8 }));
      const check = path.join(packageFolder, 'kmod/guest/check.sh');
      const long = process.env['EXOPOOL_TEST_ALL'] === '1' ? ['long'] : [];
      const release = /linux-headers-(.*)$/.exec(path.basename(headers!))?.at(1) ?? '6.12';
      const guest = ['vm', '--nvme', '1G', release, '--', check, out, table, `${entries}`, ...long];
      const run = spawnSync(path.resolve(packageFolder, '../../exopool'), guest, { encoding: 'utf8' });
      expect(run.stdout + run.stderr).toContain('ok: all checks');
      expect(run.status).toBe(0);
    } finally {
      rmSync(out, { recursive: true, force: true });
    }
  },
);
