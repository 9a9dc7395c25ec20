/**
 * Runs in a guest with an NVMe device. Loads exopool.ko and the NVMe driver with the hook. Makes random lookups by
 * `driver` and by `pread` in a store on ext4 and in one on XFS. Prints the results as one JSON object.
 *
 *   node guest-driver.mjs '{"modules":"/folder","lookups":100000,"entries":20000,"fileSystems":["ext4","xfs"]}'
 */
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { Store } from '@exopool/bpf-storage';
import { tableEngineSupport } from '@exopool/native';
import { driverCounters } from '@exopool/native/internal';

const { modules, lookups, entries, fileSystems } = JSON.parse(process.argv[2]);
const device = '/dev/nvme0n1';
const batchKeys = 10_000;
const deviceWaitMs = 240_000;
const key = (i) => `key/${String(i).padStart(8, '0')}`;
const makers = { ext4: ['mkfs.ext4', '-q', '-F', '-b', '4096'], xfs: ['mkfs.xfs', '-q', '-f'] };

function run(program, ...words) {
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr || error}`);
}

async function useHookedDriver() {
  run('rmmod', 'nvme');
  run('insmod', path.join(modules, 'nvme.ko'));
  for (const end = Date.now() + deviceWaitMs; !fs.existsSync(device); await setTimeout(50))
    if (Date.now() > end) throw new Error(`${device} does not come back`);
  run('insmod', path.join(modules, 'exopool.ko'));
}

function* records() {
  for (let i = 0; i < entries; i += 1) yield [key(i), Buffer.alloc(i % 500 === 0 ? 3000 : i % 40, i)];
}

const isSame = (a, b) =>
  a === b || (a instanceof Uint8Array && b instanceof Uint8Array && Buffer.compare(a, b) === 0);

/** Looks up random keys by both engines, half of them absent. @returns the number of answers that differ. */
async function compare(store) {
  let state = 7;
  let differences = 0;
  for (let left = lookups; left > 0; left -= batchKeys) {
    const keys = Array.from({ length: Math.min(left, batchKeys) }, () => {
      state = (state * 48_271) % 2_147_483_647;
      return key(state % (2 * entries));
    });
    store.setEngine('pread');
    const wanted = await store.getMany(keys);
    store.setEngine('driver');
    const found = await store.getMany(keys);
    differences += found.filter((value, i) => !isSame(value, wanted[i])).length;
  }
  return differences;
}

async function check(fileSystem) {
  const [program, ...words] = makers[fileSystem];
  const folder = `/mnt/${fileSystem}`;
  run('modprobe', fileSystem);
  fs.mkdirSync(folder, { recursive: true });
  run(program, ...words, device);
  run('mount', device, folder);
  const store = await Store.open(path.join(folder, 'store'), { cacheBytes: 0 });
  await store.load(records());
  run('sync');
  const before = driverCounters();
  const differences = await compare(store);
  const after = driverCounters();
  await store.close();
  run('umount', folder);
  return {
    differences,
    chains: after.chainsByEnd.done - before.chainsByEnd.done,
    unanswered: after.unanswered - before.unanswered,
    irqBatches: after.batchesByMode.irq - before.batchesByMode.irq,
  };
}

await useHookedDriver();
const support = tableEngineSupport().find(({ engine }) => engine === 'driver');
const result = { support };
if (support.available) for (const fileSystem of fileSystems) result[fileSystem] = await check(fileSystem);
const log = spawnSync('dmesg', { encoding: 'utf8' }).stdout;
result.complaints = log.split('\n').filter((line) => /BUG|WARNING|Oops|Call Trace|refcount/.test(line));
process.stdout.write(JSON.stringify(result));
