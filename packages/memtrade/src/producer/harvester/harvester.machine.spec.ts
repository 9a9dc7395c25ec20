/** The harvester against a real Redis server in a real cgroup, swapping to zram. */
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { needs, skipWithout } from '@exopool/house';
import { Redis } from 'ioredis';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { findMemoryHierarchy, MemoryCgroup } from '@exopool/native';
import { processIdentity, readSwapAreas } from '@exopool/native/internal';
import { MiB } from '@exopool/shared';
import { Harvester, type HarvesterOptions } from './harvester.js';

const built = new URL('../../../dist/producer/harvester/', import.meta.url);
const isRoot = process.getuid?.() === 0;

let folder: string;
let harvester: Harvester | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-harvester-'));
});
afterEach(async () => {
  await harvester?.close();
  harvester = undefined;
  rmSync(folder, { recursive: true, force: true });
});

const options = (more: Partial<HarvesterOptions> = {}): HarvesterOptions => ({
  command: [],
  stateDir: join(folder, 'state'),
  epochMs: 50,
  // Neighbours on a small machine must not be taken for a drop: these are tests of the mechanism.
  tail: 0.99,
  dropThreshold: 1e6,
  dropSlack: 1e6,
  severeEpochs: 3,
  stepGuide: 'fixed',
  backingBytes: 0,
  backingDir: tmpdir(),
  pressureMax: 100,
  baselineWindowMs: 60_000,
  recentWindowMs: 5000,
  baselinePointsMin: 3,
  recentPointsMin: 3,
  chunkBytes: 16 * MiB,
  coolingMs: 50,
  recoveryMs: 60_000,
  floorBytes: 32 * MiB,
  swapBytes: 512 * MiB,
  ...more,
});

const redisSocket = (): string => join(folder, 'redis');

function redisCommand(): string[] {
  const quiet = ['--save', '', '--appendonly', 'no', '--logfile', '/dev/null', '--dir', folder];
  return ['redis-server', '--port', '0', '--unixsocket', redisSocket(), ...quiet];
}

/** About 150 MiB, compressible by half. */
async function fillRedis(): Promise<Redis> {
  const redis = new Redis({ path: redisSocket(), retryStrategy: () => 50, maxRetriesPerRequest: null });
  redis.on('error', () => undefined);
  const half = 'x'.repeat(512);
  for (let batch = 0; batch < 140; batch += 1) {
    const pipeline = redis.pipeline();
    for (let index = 0; index < 1000; index += 1) {
      const id = batch * 1000 + index;
      pipeline.set(`key:${id}`, half + `${id}:${Math.imul(id, 2654435761)}`.repeat(512).slice(0, 512));
    }
    await pipeline.exec();
  }
  return redis;
}

const cgroupOf = (running: Harvester): MemoryCgroup => MemoryCgroup.ofProcess(running.commandPid!);

const unable = whyNot();

describe('Harvester', () => {
  it('harvests Redis, and undoes everything', async (context) => {
    skipWithout(context, 'zram', unable);
    const running = await Harvester.start(
      options({ command: redisCommand(), redis: redisSocket(), baselinePointsMin: 60 }),
    );
    harvester = running;
    const redis = await fillRedis();
    const cgroup = cgroupOf(running);
    expect(cgroup.path).toMatch(/\/exopool-app-/);

    await expect.poll(() => running.status.harvestedBytes).toBeGreaterThan(40 * MiB);
    expect(running.status.metric).toBe('Redis PING p99, ms');
    await expect.poll(() => running.status.steps).toBeGreaterThanOrEqual(3);
    expect(running.status.limitBytes).toBeLessThan(150 * MiB);
    expect(cgroup.limitBytes()).toBeLessThan(200 * MiB);
    expect(await redis.get('key:7')).toMatch(/^x{512}7:/);

    redis.disconnect();
    await running.close();
    expect(existsSync(cgroup.path)).toBe(false);
    expect(processIdentity(running.commandPid!)).toBeUndefined();
    expect(readdirSync(join(folder, 'state'))).toEqual([]);
  });

  it('lifts the limit when the application suffers', async (context) => {
    skipWithout(context, 'zram', unable);
    // Any page-in is a drop here: reading everything back must be noticed.
    const touchy = {
      dropThreshold: 0,
      dropSlack: 0,
      recentPointsMin: 1,
      recentWindowMs: 1000,
      baselinePointsMin: 60,
    };
    const running = await Harvester.start(options({ command: redisCommand(), ...touchy }));
    harvester = running;
    const redis = await fillRedis();
    const cgroup = cgroupOf(running);
    await expect.poll(() => running.status.steps).toBeGreaterThan(0);
    const readAll = async (): Promise<number> => {
      for (let id = 0; id < 140_000; id += 1000) {
        await redis.mget(Array.from({ length: 1000 }, (_, index) => `key:${id + index}`));
      }
      return running.status.drops;
    };
    await expect.poll(readAll).toBeGreaterThan(0);
    await expect.poll(() => cgroup.limitBytes()).toBeUndefined();
    redis.disconnect();
  });

  it('brings back what it took when the application is worse than ever', async (context) => {
    skipWithout(context, 'zram', unable);
    const hadSwap = readSwapAreas().length > 0;
    const metric = join(folder, 'latency');
    writeFileSync(metric, '1\n');
    // No percentile is a drop here: only being worse than every point of the baseline, three times in a row.
    const running = await Harvester.start(
      options({ command: redisCommand(), metric: `file:${metric}`, dropSlack: 1 }),
    );
    harvester = running;
    const redis = await fillRedis();
    await expect.poll(() => running.status.swappedBytes).toBeGreaterThan(40 * MiB);
    expect(running.status).toMatchObject({ drops: 0, prefetchedBytes: 0 });
    if (!hadSwap) {
      expect(running.status.silo).toMatchObject({ kind: 'zram', diskBytes: 0 });
      expect(running.status.silo!.compressionRatio).toBeGreaterThan(1.2);
    }

    // A few reads miss something in most epochs, so that the bad time is our doing; most is asked for by nobody.
    // An epoch that missed nothing is learned as a good one, however bad: so it gets worse and worse.
    let id = 0;
    let latency = 100;
    const readSome = async (): Promise<number> => {
      writeFileSync(`${metric}.next`, `${(latency += 10)}\n`);
      renameSync(`${metric}.next`, metric);
      for (let index = 0; index < 20; index += 1) await redis.get(`key:${(id += 997) % 140_000}`);
      return running.status.prefetchedBytes;
    };
    await expect.poll(readSome, { interval: 10 }).toBeGreaterThan(32 * MiB);
    expect(running.status).toMatchObject({ drops: 1, state: 'recovering' });
    expect(cgroupOf(running).limitBytes()).toBeUndefined();
    await expect
      .poll(async () => (await readSome(), running.status.swappedBytes), { interval: 10 })
      .toBeLessThan(20 * MiB);
    redis.disconnect();
  });

  it('attaches to a cgroup, and leaves it as it was', async (context) => {
    skipWithout(context, 'zram', unable);
    const owner = await Harvester.start(options({ command: ['sleep', '600'], baselinePointsMin: 1_000_000 }));
    harvester = owner;
    const cgroup = MemoryCgroup.ofProcess(owner.commandPid!);
    const attached = await Harvester.start(
      options({ pid: owner.commandPid, floorBytes: 0, chunkBytes: 65_536 }),
    );
    await expect.poll(() => attached.status.steps).toBeGreaterThan(0);
    await attached.close();
    expect(cgroup.limitBytes()).toBeUndefined();
    expect(processIdentity(owner.commandPid!)).toBeDefined();
  });

  it('goes on after a look that failed, and holds nobody whom it cannot see', async (context) => {
    skipWithout(context, 'zram', unable);
    const running = await Harvester.start(
      options({ command: ['sleep', '600'], floorBytes: 0, chunkBytes: 65_536, coolingMs: 60_000 }),
    );
    harvester = running;
    const cgroup = cgroupOf(running);
    await expect.poll(() => cgroup.limitBytes()).toBeDefined();
    const look = vi.spyOn(MemoryCgroup.prototype, 'sample').mockImplementation(() => {
      throw new Error('too many open files');
    });
    await expect.poll(() => cgroup.limitBytes()).toBeUndefined();
    expect(running.status.reason).toContain('too many open files');
    look.mockRestore();
    await expect.poll(() => cgroup.limitBytes()).toBeDefined();
    expect(running.status.reason).toBeUndefined();
    expect(running.status.state).toBe('cooling');
  });

  it('is undone by the next one when it is killed', async (context) => {
    skipWithout(context, 'zram', unable);
    if (!existsSync(new URL('harvester.js', built))) skipWithout(context, 'build', 'not built');
    const settings = JSON.stringify(
      options({ command: ['sleep', '600'], floorBytes: 0, chunkBytes: 65_536 }),
    );
    const script = `const { Harvester } = await import(${JSON.stringify(new URL('harvester.js', built).href)});
      const harvester = await Harvester.start(${settings});
      console.log(harvester.commandPid);
      setInterval(() => harvester.status.steps > 0 && process.kill(process.pid, 'SIGKILL'), 5)`;
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const cgroup = MemoryCgroup.ofProcess(Number(line.toString()));
    await once(child, 'exit');
    expect(child.signalCode).toBe('SIGKILL');
    expect(readdirSync(join(folder, 'state'))).toHaveLength(1);

    harvester = await Harvester.start(options());
    expect(existsSync(cgroup.path)).toBe(false);
    expect(processIdentity(Number(line.toString()))).toBeUndefined();
    // Only its own journal is left.
    expect(readdirSync(join(folder, 'state'))).toHaveLength(1);
  });

  it('says what is missing', async () => {
    harvester = await Harvester.start(options());
    expect(harvester.status.state).toBe('off');
    expect(harvester.status.reason).toMatch(isRoot ? /--run, --cgroup, --pid or --unit/ : /needs root/);
  });

  it('says what is wrong', needs('root', isRoot ? undefined : 'not root'), async () => {
    await expect(Harvester.start(options({ cgroup: folder }))).rejects.toMatchObject({
      code: 'EXOPOOL_NOT_FOUND',
    });
    await expect(Harvester.start(options({ pid: 2 ** 30 }))).rejects.toMatchObject({
      code: 'EXOPOOL_NOT_FOUND',
    });
    await expect(Harvester.start(options({ pid: process.pid }))).rejects.toThrow(
      /own cgroup|not a memory cgroup/,
    );
  });
});

function whyNot(): string | undefined {
  if (!isRoot) return 'needs root';
  if (!existsSync('/sys/class/zram-control/hot_add')) return 'needs zram';
  try {
    findMemoryHierarchy();
    execFileSync('redis-server', ['--version']);
    return undefined;
  } catch (error) {
    return `needs a memory cgroup and redis-server: ${(error as Error).message}`;
  }
}
