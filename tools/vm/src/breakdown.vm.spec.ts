import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';

const reason = whyNoGuests();
const exopool = path.resolve(import.meta.dirname, '../../cli/dist/main.js');
const breakdown = `'${process.execPath}' '${exopool}' breakdown --reads 200 --json`;

/** Of a file system on NVMe, and of a device in memory that takes no requests. */
const script = `
  mkfs.ext4 -q /dev/nvme0n1 && mount /dev/nvme0n1 /mnt &&
  dd if=/dev/urandom of=/mnt/file bs=1M count=4 status=none && sync &&
  ${breakdown} /mnt/file && printf , &&
  modprobe zram && echo 4M >/sys/block/zram0/disksize &&
  dd if=/mnt/file of=/dev/zram0 bs=1M status=none && ${breakdown} /dev/zram0`;

interface Found {
  readonly totalNs: number;
  readonly layersNs: Readonly<Record<string, number>>;
  readonly groups: readonly (readonly string[])[];
  readonly route: { readonly fileSystem: string; readonly device: string };
  readonly tracepointsOnly?: string;
}

describe.skipIf(reason !== undefined)(
  `a breakdown in a guest${reason === undefined ? '' : ` (${reason})`}`,
  () => {
    it('tells all layers apart by the functions of the kernel', { timeout: guestTimeoutMs }, async () => {
      const { status, out, err } = await runScript('6.12', script, { nvmeBytes: 64 << 20 });
      expect({ status, err }).toEqual({ status: 0, err: '' });
      const [nvme, zram] = JSON.parse(`[${out.toString()}]`) as [Found, Found];
      expect(nvme.tracepointsOnly).toBeUndefined();
      expect(nvme.route).toMatchObject({ fileSystem: 'ext4', device: 'nvme0n1' });
      expect(nvme.groups).toHaveLength(7);
      expect(zram.route).toMatchObject({ fileSystem: 'block device', device: 'zram0' });
      expect(zram.groups).toContainEqual(['driver', 'device']);
      for (const { totalNs, layersNs } of [nvme, zram]) {
        const sum = Object.values(layersNs).reduce((total, ns) => total + ns, 0);
        expect(sum / totalNs).toBeCloseTo(1, 6);
        expect(layersNs['device']).toBeGreaterThan(0);
        expect(layersNs['file system']).toBeGreaterThan(0);
      }
    });
  },
);
