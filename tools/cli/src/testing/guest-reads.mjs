/**
 * Runs in a guest with an NVMe device: traces reads of a file on that, and of a device in memory that takes no requests.
 * Prints both traces as one JSON object.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import fs from 'node:fs';
import { traceReads } from '@exopool/native';

const file = '/mnt/file';
const content = randomBytes(1 << 20);
const reads = 100;

async function trace(path) {
  const found = await traceReads({ path, reads });
  return { ...found, untracedNs: [...found.untracedNs] };
}

execFileSync('mkfs.ext4', ['-q', '/dev/nvme0n1']);
execFileSync('mount', ['/dev/nvme0n1', '/mnt']);
fs.writeFileSync(file, content, { flush: true });
const nvme = await trace(file);

execFileSync('modprobe', ['zram']);
fs.writeFileSync('/sys/block/zram0/disksize', `${content.length}`);
fs.writeFileSync('/dev/zram0', content, { flag: 'r+', flush: true });
const zram = await trace('/dev/zram0');

console.log(JSON.stringify({ nvme, zram }));
