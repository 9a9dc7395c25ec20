/**
 * A harvester that is killed at any moment: the next start undoes everything, and the application, which is not ours,
 * runs on with all of its memory's content.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipWithout } from '@exopool/house';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { findMemoryHierarchy, MachineJournal, MemoryCgroup, undoLeftovers } from '@exopool/native';
import { cgroupProcesses, processIdentity, readSwapAreas } from '@exopool/native/internal';
import { MiB } from '@exopool/shared';
import { findProgram } from '../../testing/servers.js';

const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
const rounds = isLong ? 50 : 3;
/** Of rounds in turn: how far it has come when it is killed, and how long before it is, milliseconds. */
const moments = [
  { steps: 0, atMostMs: 500 },
  { steps: 0, atMostMs: 1500 },
  { steps: 1, atMostMs: 500 },
];
/** Of the swap that it makes; of another size than any that tests beside this one make. */
const swapBytes = 256 * MiB + (1 + (process.pid % 4000)) * 8192;
const keys = 60_000;
const built = new URL('../../../dist/producer/harvester/harvester.js', import.meta.url);

let folder: string;
let journal: MachineJournal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-crash-'));
  journal = MachineJournal.open(join(folder, 'own'));
});
afterEach(async () => {
  await journal.undoAll();
  rmSync(folder, { recursive: true, force: true });
});

it(
  `leaves nothing behind, ${rounds} times`,
  async (context) => {
    const unable = whyNot();
    skipWithout(context, 'zram', unable);
    const cgroup = MemoryCgroup.create(journal, `crash-${process.pid}`);
    const { redis, pid } = await startRedis(cgroup);
    for (let round = 0; round < rounds; round += 1) {
      const { steps, atMostMs } = moments[round % moments.length]!;
      await harvestAndKill(cgroup.path, steps, (atMostMs * (round + 1)) / rounds);
      await undoLeftovers(join(folder, 'state'));
      expect(cgroup.limitBytes()).toBeUndefined();
      // But for its header.
      expect(readSwapAreas().map(({ sizeBytes }) => sizeBytes)).not.toContain(swapBytes - 4096);
      expect(existsSync(join(folder, 'state')) ? readdirSync(join(folder, 'state')) : []).toEqual([]);
      expect(processIdentity(pid)).toBeDefined();
      expect(cgroupProcesses(cgroup.path)).toContain(pid);
      await allIsThere(redis);
    }
    redis.disconnect();
  },
  isLong ? 3_600_000 : 600_000,
);

async function startRedis(cgroup: MemoryCgroup): Promise<{ redis: Redis; pid: number }> {
  const socket = join(folder, 'redis');
  const settings = [
    '--port',
    '0',
    '--unixsocket',
    socket,
    '--save',
    '',
    '--appendonly',
    'no',
    '--dir',
    folder,
  ];
  const script = 'echo $$ > "$0/cgroup.procs" && exec "$@"';
  const child = spawn('/bin/sh', ['-c', script, cgroup.path, findProgram('redis-server')!, ...settings], {
    stdio: 'ignore',
  });
  const redis = new Redis({ path: socket, retryStrategy: () => 50, maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  for (let from = 0; from < keys; from += 1000) {
    const pairs = Array.from({ length: 1000 }, (_, index) => [`key:${from + index}`, valueOf(from + index)]);
    await redis.mset(pairs.flat());
  }
  return { redis, pid: child.pid! };
}

const valueOf = (id: number): string => `${id}:${'x'.repeat(500)}${Math.imul(id, 2_654_435_761)}`;

async function allIsThere(redis: Redis): Promise<void> {
  for (let from = 0; from < keys; from += 1000) {
    const ids = Array.from({ length: 1000 }, (_, index) => from + index);
    const values = await redis.mget(ids.map((id) => `key:${id}`));
    expect(values.every((value, index) => value === valueOf(from + index))).toBe(true);
  }
}

/** Kills it `killAfterMs` after it has told that it has lowered the limit so often. */
async function harvestAndKill(cgroup: string, stepsMin: number, killAfterMs: number): Promise<void> {
  const options = {
    ...{ command: [], cgroup, stateDir: join(folder, 'state'), epochMs: 20, tail: 0.99 },
    ...{ dropThreshold: 1e6, dropSlack: 1e6, severeEpochs: 3, pressureMax: 100, stepGuide: 'fixed' },
    ...{ baselineWindowMs: 60_000, recentWindowMs: 5000, baselinePointsMin: 3, recentPointsMin: 3 },
    ...{ chunkBytes: 4 * MiB, coolingMs: 20, recoveryMs: 60_000, floorBytes: 8 * MiB },
    ...{ swapBytes, backingBytes: 0, backingDir: folder },
  };
  const script = `const { Harvester } = await import(${JSON.stringify(built.href)});
    console.log(0);
    const harvester = await Harvester.start(${JSON.stringify(options)});
    setInterval(() => console.log(harvester.status.steps), 5);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  for await (const line of createInterface(child.stdout)) if (Number(line) >= stepsMin) break;
  await sleep(killAfterMs);
  child.kill('SIGKILL');
  await exited;
  expect(child.signalCode).toBe('SIGKILL');
}

function whyNot(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root';
  if (!existsSync('/sys/class/zram-control/hot_add')) return 'needs zram';
  if (findProgram('redis-server') === undefined) return 'redis-server is not installed';
  if (!existsSync(built)) return 'needs the built package';
  try {
    findMemoryHierarchy();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
