/**
 * Runs in a guest with an empty NVMe device. One process uses half as much again as the limit of its cgroup, and swaps
 * to a file on the device, then to leased memory, sealed and not. Prints a line of JSON for each.
 */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { NbdDevice } from '@exopool/native/internal';
import { MiB } from '@exopool/shared';
import { SlabProducer } from '../harvest/slab-producer.js';
import type { HogAnswer, HogArgument } from './swap-hog-main.js';

const swapContenders = ['no swap', 'disk', 'leased memory, aes-128-gcm', 'leased memory, off'] as const;
export type SwapContender = (typeof swapContenders)[number];

export interface SwapFigures extends HogAnswer {
  readonly contender: SwapContender;
  readonly visits: number;
}

export interface SwapArgument {
  readonly limitBytes: number;
  readonly visits: number;
}

const hogMain = fileURLToPath(new URL('swap-hog-main.js', import.meta.url));
const [disk, folder, group] = ['/dev/nvme0n1', '/mnt/swap', '/sys/fs/cgroup/hog'];
const [nbd, socket] = ['/dev/nbd0', '/run/exopool-swap.sock'];
const swapBytes = 256 * MiB;
const slabs = 3;
const unlimited = 'max';

const { limitBytes, visits } = JSON.parse(process.argv[2] ?? '{}') as SwapArgument;
run('mkfs.ext4', '-q', disk);
mkdirSync(folder, { recursive: true });
run('mount', disk, folder);
writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+memory');
// Swap in one page at a time: neighbours are useless for random visits on any device.
writeFileSync('/proc/sys/vm/page-cluster', '0');
for (const contender of swapContenders) {
  const answer = await withSwap(contender, () => hog(contender === 'no swap' ? unlimited : limitBytes));
  const figures: SwapFigures = { contender, visits, ...answer };
  console.log(JSON.stringify(figures));
}

function run(program: string, ...words: string[]): void {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${[program, ...words].join(' ')}: ${stderr || stdout || String(error)}`);
}

async function withSwap<T>(contender: SwapContender, work: () => Promise<T>): Promise<T> {
  if (contender === 'no swap') return work();
  if (contender !== 'disk') return withLeasedSwap(contender === 'leased memory, aes-128-gcm', work);
  const file = `${folder}/swap`;
  run('fallocate', '--length', String(swapBytes), file);
  run('chmod', '600', file);
  run('mkswap', file);
  run('swapon', file);
  const result = await work();
  run('swapoff', file);
  run('rm', file);
  return result;
}

async function withLeasedSwap<T>(isSealed: boolean, work: () => Promise<T>): Promise<T> {
  const producer = await SlabProducer.start(slabs, new AbortController().signal);
  const settings = { sizeBytes: swapBytes, bufferBytes: 16 * MiB, folder, isSealed };
  const device = await NbdDevice.start({ listen: { socket }, ...settings });
  await device.connect({ ...producer.sessionOptions(slabs), timeoutMs: 10_000 });
  run('/sbin/modprobe', 'nbd');
  run('nbd-client', '-unix', socket, nbd, '-b', '4096', '-swap');
  run('mkswap', nbd);
  run('swapon', '--discard', nbd);
  const result = await work();
  run('swapoff', nbd);
  run('nbd-client', '-d', nbd);
  await device.close();
  await producer.close();
  return result;
}

async function hog(memoryMax: number | typeof unlimited): Promise<HogAnswer> {
  mkdirSync(group);
  writeFileSync(`${group}/memory.max`, String(memoryMax));
  const argument: HogArgument = { group, bytes: 1.5 * limitBytes, visits };
  const child = spawn(process.execPath, [hogMain, JSON.stringify(argument)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  await lines.next();
  child.stdin.write('go\n');
  const line = await lines.next();
  if (child.exitCode === null) await once(child, 'exit');
  if (line.done === true) throw new Error('the process that swaps was killed');
  rmdirSync(group);
  return JSON.parse(line.value) as HogAnswer;
}
