/**
 * Runs in a guest with cgroup v2 and an NVMe device. Harvests a Redis server, whose cold pages go to zram and from
 * there to the device, until it needs them again. Prints the results as one JSON object.
 *
 *   node guest-harvest.mjs '{"harvester":"/path/of/harvester.js"}'
 */
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { MemoryCgroup } from '@exopool/native';
import { readSwapAreas } from '@exopool/native/internal';
import { run } from './guest-commands.mjs';
import { eagerHarvester } from './guest-harvester.mjs';

const { harvester } = JSON.parse(process.argv[2]);
const { Harvester } = await import(harvester);
const MiB = 1 << 20;
const silo = '/mnt/silo';
const { stateDir } = eagerHarvester;
const port = '7777';
const keys = 120_000;
const waitMs = 240_000;
const pollMs = 200;

const quiet = ['--save', '', '--logfile', '/dev/null'];
const redisWords = ['--port', port, '--bind', '127.0.0.1', '--enable-debug-command', 'yes', ...quiet];
const options = {
  ...eagerHarvester,
  command: ['redis-server', ...redisWords],
  baselinePointsMin: 3,
  coolingMs: 500,
  floorBytes: 48 * MiB,
  backingBytes: 256 * MiB,
  backingDir: silo,
};

function redis(...words) {
  const { stdout } = spawnSync('redis-cli', ['-p', port, ...words], { encoding: 'utf8' });
  return stdout.trim();
}

const listZram = () => fs.readdirSync('/sys/block').filter((name) => name.startsWith('zram'));

async function until(condition) {
  for (const end = Date.now() + waitMs; !condition(); await setTimeout(pollMs))
    if (Date.now() > end) throw new Error(`waited in vain: ${JSON.stringify(running.status)}`);
}

run('mkfs.ext4', '-q', '/dev/nvme0n1');
fs.mkdirSync(silo, { recursive: true });
run('mount', '/dev/nvme0n1', silo);
run('/sbin/modprobe', 'zram');
run('/sbin/modprobe', 'loop');
const zramDevices = listZram();

const running = await Harvester.start(options);
const cgroup = MemoryCgroup.ofProcess(running.commandPid);
await until(() => redis('ping') === 'PONG');
redis('debug', 'populate', String(keys), 'key', '1000');
const before = redis('debug', 'digest');
await until(() => running.status.swappedBytes > 40 * MiB && running.status.silo.diskBytes > 0);
const harvested = running.status;
const limitBytes = cgroup.limitBytes();
const after = redis('debug', 'digest');
const { pageIns } = cgroup.sample();
const found = {
  version: cgroup.version,
  hasPressureFile: cgroup.pressureFile !== undefined,
  harvested,
  limitBytes,
  pageIns,
  isSame: before.length === 40 && before === after,
};
await running.close();
found.left = {
  swap: readSwapAreas().length,
  zram: listZram().length - zramDevices.length,
  cgroup: fs.existsSync(cgroup.path),
  files: fs.readdirSync(silo).filter((name) => name !== 'lost+found'),
  journal: fs.readdirSync(stateDir),
};
process.stdout.write(JSON.stringify(found));
