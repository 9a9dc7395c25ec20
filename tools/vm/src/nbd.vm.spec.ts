import path from 'node:path';
import { needs } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { nbdSupport } from '@exopool/native';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';
import { missingPrograms } from './testing/missing-programs.js';

const support = nbdSupport();
const reason = whyNoGuests() ?? (support.available ? whatIsMissing() : support.reason);
const script = path.join(import.meta.dirname, 'testing', 'guest-nbd.mjs');

function whatIsMissing(): string | undefined {
  const missing = missingPrograms(['nbd-client', 'mkfs.ext4', 'mkswap', 'swapon']);
  return missing.length === 0
    ? undefined
    : `not installed: ${missing.join(', ')}; apt-get install nbd-client e2fsprogs mount`;
}

describe('swap in a guest', needs('guests', reason), () => {
  it(
    'to leased memory keeps what is in it when the producer is killed',
    { timeout: guestTimeoutMs },
    async () => {
      const { status, out, err } = await runScript('6.12', `exec '${process.execPath}' '${script}'`, {
        nvmeBytes: 512 << 20,
      });
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const found = JSON.parse(out.toString()) as Record<string, number>;
      expect(found).toMatchObject({
        wrong: 0,
        tampered: 0,
        corrupt: 0,
        fileFailures: 0,
        isLocked: true,
        isDirect: true,
      });
      expect(found['swappedBytes']).toBeGreaterThan(32 << 20);
      expect(found['leasedUsed']).toBeGreaterThan(0);
      expect(found['readFile']).toBeGreaterThan(0);
    },
  );
});
