/**
 * Runs in a guest with an empty NVMe device. Harvests an application whose pages go to zram and, if requested, from
 * there to a file on the device once they are idle. Prints lines of progress, and one line of JSON.
 */
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { formatBytes, ExopoolError } from '@exopool/shared';
import { memcachedAt, redisAt } from './applications/key-value.js';
import { burstRounds, type BurstResult } from './burst.js';
import type { GuestArgument, GuestFigures } from './guest-case.js';
import { harvestRounds, type HarvestRound, type RoundOptions } from './rounds.js';

const [disk, folder] = ['/dev/nvme0n1', '/mnt/harvest'];
/** More than the uncompressed size of all harvested memory. */
const siloDiskMib = 512;
const { experiment, application, silo, plan, requestsPerSecond } = JSON.parse(
  process.argv[2] ?? '{}',
) as GuestArgument;
const harvested = { redis: redisAt, memcached: memcachedAt }[application](requestsPerSecond);
const options: RoundOptions = {
  plan,
  folder,
  signal: new AbortController().signal,
  say: (line) => console.log(line),
  ...(silo === 'zram' ? {} : { settings: { siloDiskMib, siloDir: folder } }),
};

prepare();
const figures: GuestFigures = {
  workload: harvested.workload,
  ...(experiment === 'burst' ? { burst: await bursts() } : { rounds: await checkedRounds() }),
};
console.log(JSON.stringify(figures));

async function checkedRounds(): Promise<HarvestRound[]> {
  const rounds = await harvestRounds(harvested, options, () => false);
  for (const round of rounds) check(round);
  return rounds.map((round) => ({ ...round, points: [] }));
}

async function bursts(): Promise<BurstResult> {
  const result = await burstRounds(options, harvested);
  for (const { medium, swappedBytes, diskBytes, prefetchedBytes } of result.rounds)
    console.log(
      `${medium}: ${formatBytes(swappedBytes)} swapped out, ${formatBytes(diskBytes)} on the disk; ` +
        `${formatBytes(prefetchedBytes)} brought back early`,
    );
  return result;
}

function prepare(): void {
  run('mkfs.ext4', '-q', disk);
  mkdirSync(folder, { recursive: true });
  run('mount', disk, folder);
  writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+memory');
  // An existing device shows whether the kernel has writeback. The silo makes its own device.
  run('/sbin/modprobe', 'zram', 'num_devices=1');
  run('/sbin/modprobe', 'loop');
}

/** Figures of another silo than the requested one would have the wrong name. */
function check({ points, swappedBytes, storedBytes, diskBytes }: HarvestRound): void {
  const status = points.at(-1)?.status;
  console.log(
    `${status?.silo?.kind}: ${formatBytes(swappedBytes)} swapped out; of ${formatBytes(storedBytes)} stored ` +
      `${formatBytes(diskBytes)} on the disk; ${status?.steps} steps, ${status?.drops} drops`,
  );
  if (status?.silo?.kind !== silo)
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', `pages went to ${status?.silo?.kind}, not to ${silo}`);
}

function run(program: string, ...words: string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${[program, ...words].join(' ')}: ${stderr || stdout || String(error)}`);
}
