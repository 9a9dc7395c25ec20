import path from 'node:path';
import { needs } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';
import { missingPrograms } from './testing/missing-programs.js';

const reason = whyNoGuests() ?? whatIsMissing();
const script = path.join(import.meta.dirname, 'testing', 'guest-harvest.mjs');
const harvester = path.resolve(
  import.meta.dirname,
  '../../../packages/memtrade/dist/producer/harvester/harvester.js',
);

function whatIsMissing(): string | undefined {
  const missing = missingPrograms(['redis-server', 'redis-cli', 'mkfs.ext4', 'mkswap', 'swapon']);
  return missing.length === 0
    ? undefined
    : `not installed: ${missing.join(', ')}; apt-get install redis-server redis-tools e2fsprogs mount`;
}

interface Found {
  readonly harvested: { readonly harvestedBytes: number; readonly drops: number };
  readonly [step: string]: unknown;
}

describe('harvesting in a guest', needs('guests', reason), () => {
  it(
    'with cgroup v2 moves cold pages to zram and on to a disk, and gives all back',
    { timeout: guestTimeoutMs },
    async () => {
      const command = `exec '${process.execPath}' '${script}' '${JSON.stringify({ harvester })}'`;
      const { status, out, err } = await runScript('6.12', command, { nvmeBytes: 512 << 20 });
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const found = JSON.parse(out.toString()) as Found;
      expect(found).toMatchObject({
        version: 2,
        hasPressureFile: true,
        isSame: true,
        harvested: { drops: 0, silo: { kind: 'zram with writeback' } },
        left: { swap: 0, zram: 0, cgroup: false, files: [], journal: [] },
      });
      expect(found.harvested.harvestedBytes).toBeGreaterThan(32 << 20);
      expect(found['pageIns']).toBeGreaterThan(0);
    },
  );
});
