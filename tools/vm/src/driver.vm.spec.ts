/**
 * exopool.ko in guests: its own checks (packages/native/kernel/kmod/guest/check.sh), and a store that reads through it.
 * Modules are built for the guest's kernel, from headers and sources of the Debian archive.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs, skipWithout } from '@exopool/house';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder } from './cache-folder.js';
import { prepareDriver, type DriverKit } from './driver-kit.js';
import { obtainKernel } from './kernel-cache.js';
import { obtainKernelSources } from './kernel-sources.js';
import { guestTimeoutMs, runScript, whyNoDriver } from './testing/guest-tests.js';
import { makeTable, type TestTable } from './testing/table.js';

const reason = whyNoDriver();
const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
/** A long-term kernel, and the newest one. */
const kernels = ['6.12', '7.2'];
/** All checks take minutes under emulation, so the newest kernel is checked only with EXOPOOL_TEST_ALL=1. */
const checkedKernels = isLong ? kernels : kernels.slice(0, 1);
const check = path.join(import.meta.dirname, '../../../packages/native/kernel/kmod/guest/check.sh');
const storeScript = path.join(import.meta.dirname, 'testing', 'guest-driver.mjs');
const entries = 10_000;
const lookups = isLong ? 1_000_000 : 4000;
const nvmeBytes = 1 << 30;
const prepareTimeoutMs = 900_000;
let folder: string;
let table: TestTable;

describe('the driver', needs('guests', reason), () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'exopool-driver-'));
    // Keys of lookup_check: long, so that the tree is deep.
    table = await makeTable(entries, (i) => `key-${String(2 * i).padStart(400, '0')}`);
  });
  afterAll(() => {
    table.remove();
    rmSync(folder, { recursive: true, force: true });
  });

  describe.each(kernels)('on Linux %s', (kernel) => {
    let kit: DriverKit;
    /** Reason why the modules cannot be built. */
    let missing: string | undefined;

    beforeAll(async () => {
      const cache = cacheFolder();
      const { release } = await obtainKernel(cache, kernel);
      try {
        await obtainKernelSources(cache, release);
      } catch (error) {
        missing = (error as Error).message;
        return;
      }
      kit = await prepareDriver(release, path.join(folder, kernel));
    }, prepareTimeoutMs);
    beforeEach((context) => {
      skipWithout(context, 'guests', missing);
    });

    const run = (script: string): ReturnType<typeof runScript> => {
      const environment = { PATH: process.env['PATH']!, HOME: '/root', ...kit.environment };
      return runScript(kit.release, script, { nvmeBytes, environment });
    };

    const isChecked = checkedKernels.includes(kernel);
    it(
      'keeps its promises',
      {
        timeout: 2 * guestTimeoutMs,
        ...needs('all', isChecked ? undefined : 'takes minutes under emulation'),
      },
      async () => {
        const words = `'${check}' '${kit.folder}' '${table.path}' ${entries}${isLong ? ' long' : ''}`;
        const { status, out, err } = await run(`exec bash ${words}`);
        expect(out.toString() + err).toContain('ok: all checks');
        expect(status).toBe(0);
      },
    );

    it('answers for stores on ext4 and XFS as pread does', { timeout: 4 * guestTimeoutMs }, async () => {
      const fileSystems = ['ext4', 'xfs'];
      const task = JSON.stringify({ modules: kit.folder, lookups, entries, fileSystems });
      const { status, out, err } = await run(`exec '${process.execPath}' '${storeScript}' '${task}'`);
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const found = JSON.parse(out.toString()) as Record<string, object>;
      expect(found['support']).toEqual({ engine: 'driver', available: true });
      expect(found['complaints']).toEqual([]);
      for (const fileSystem of fileSystems) {
        expect(found[fileSystem]).toMatchObject({ differences: 0, unanswered: 0 });
        const { chains, irqBatches } = found[fileSystem] as { chains: number; irqBatches: number };
        // Filters answer for most absent keys.
        expect(chains).toBeGreaterThan(0.4 * lookups);
        expect(irqBatches).toBeGreaterThan(0);
      }
    });
  });
});
