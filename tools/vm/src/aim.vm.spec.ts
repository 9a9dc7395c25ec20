import path from 'node:path';
import { needs } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';
import { missingPrograms } from './testing/missing-programs.js';

const reason = whyNoGuests() ?? whatIsMissing();
const script = path.join(import.meta.dirname, 'testing', 'guest-aim.mjs');
const harvester = path.resolve(
  import.meta.dirname,
  '../../../packages/memtrade/dist/producer/harvester/harvester.js',
);

function whatIsMissing(): string | undefined {
  const missing = missingPrograms(['mkswap', 'swapon']);
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}; apt-get install mount`;
}

interface Harvest {
  readonly pageIns: number;
  readonly pagesOut: number;
  readonly aim?: { readonly pushedBytes: number };
}

interface Found {
  readonly squeeze: Harvest;
  readonly idle: Harvest;
  readonly without: { readonly reason?: string };
  readonly [step: string]: unknown;
}

describe('aiming at idle memory in a guest', needs('guests', reason), () => {
  it(
    'pushes out what DAMON saw nobody touch, and leaves DAMON as it was',
    { timeout: guestTimeoutMs },
    async () => {
      const command = `exec '${process.execPath}' '${script}' '${JSON.stringify({ harvester })}'`;
      const { status, out, err } = await runScript('6.12', command);
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const found = JSON.parse(out.toString()) as Found;
      for (const [victims, harvest] of Object.entries({ squeeze: found.squeeze, idle: found.idle }))
        console.log(
          `${victims}: ${harvest.pageIns} page-ins, ${harvest.pagesOut} pages pushed out, ` +
            `${((1000 * harvest.pageIns) / harvest.pagesOut).toFixed(1)} page-ins for 1000 pages`,
        );
      const left = { swap: 0, kdamonds: 0, journal: [] };
      expect(found).toMatchObject({
        squeeze: { wrong: 0, left },
        idle: { wrong: 0, left },
        killed: { wrong: 0, wasWatching: true, kdamonds: 0, journal: [] },
        without: { kdamonds: 1 },
      });
      expect(found.without.reason).toContain('somebody else uses DAMON');
      expect(found.idle.aim?.pushedBytes).toBeGreaterThan(32 << 20);
    },
  );
});
