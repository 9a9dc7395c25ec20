/** Processes that die and machines that lose power, at every moment: nothing acknowledged as durable is lost. */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { logHeaderBytes } from './log/log-format.js';
import { Store } from './store.js';
import { inFolder, leftovers } from './testing/folder.js';
import { loseSectors } from './testing/log.js';

const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
/** How often the process that writes is killed. */
const killRounds = isLong ? 300 : 20;
const timeout = isLong ? 1_800_000 : 600_000;

const value = (fill: number): Buffer => Buffer.alloc(2000, fill);

/** A process that works on a store, says what it has done line by line, and waits for ever at `stop`. */
const stepScript = `
  import { writeSync } from 'node:fs';
  import { Store } from '@exopool/bpf-storage';
  const [folder, stop] = process.argv.slice(1);
  const say = (line) => {
    writeSync(1, line + '\\n');
    if (line === stop) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  };
  const store = await Store.open(folder);
  if (stop.startsWith('load')) {
    function* entries() {
      for (let i = 0; i < 60000; i += 1) {
        if (i === 50000) say('load read');
        yield ['key ' + i, 'new ' + i];
      }
    }
    let last = 'read';
    await store.load(entries(), {
      runBytes: 1 << 20,
      onProgress: ({ phase, entries }) => {
        if (phase !== last) say('load ' + (last = phase));
        if (phase === 'merge' && entries === 60000) say('load merged');
      },
    });
  } else {
    for (let i = 0; ; i += 1) {
      await store.put('key ' + i, 'new ' + i);
      await store.flush();
      say('flushed ' + i);
    }
  }
`;

/** Runs a script until it has said enough, then kills it after `delayMs`. @returns the lines that it said. */
async function killWhen(
  script: string,
  args: readonly string[],
  enough: (line: string) => boolean,
  delayMs = 0,
): Promise<string[]> {
  const child: ChildProcess = spawn(process.execPath, ['--input-type=module', '--eval', script, ...args], {
    cwd: new URL('..', import.meta.url),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const said: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout! })) {
      said.push(line);
      if (child.killed || !enough(line)) continue;
      if (delayMs === 0) child.kill('SIGKILL');
      else setTimeout(() => child.kill('SIGKILL'), delayMs);
    }
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
  return said;
}

describe('a process that is killed at a known step', () => {
  it.each(['load read', 'load merge', 'load merged'])('at "%s" leaves the old content', async (stop) => {
    await inFolder(async (folder) => {
      const first = await Store.open(folder);
      for (let index = 0; index < 50; index += 1) await first.put(`key ${index}`, value(index));
      await first.close();
      for (let round = 0; round < 2; round += 1)
        await killWhen(stepScript, [folder, stop], (line) => line === stop);
      expect((await leftovers(folder)).length).toBeGreaterThan(0);
      const store = await Store.open(folder);
      expect(await leftovers(folder)).toEqual([]);
      for (let index = 0; index < 50; index += 1)
        expect((await store.get(`key ${index}`))?.equals(value(index))).toBe(true);
      expect(await store.verify()).toMatchObject({ ok: true, entries: 50 });
      await store.close();
      expect((await readdir(folder)).sort()).toEqual(['000001.table', 'LOCK', 'MANIFEST']);
    });
  });

  it('between flushes leaves everything that was flushed', async () => {
    await inFolder(async (folder) => {
      for (const [round, last] of [5, 9, 20].entries()) {
        const stop = `flushed ${last}`;
        await killWhen(stepScript, [folder, stop], (line) => line === stop);
        const store = await Store.open(folder);
        expect((await store.get(`key ${last}`))?.toString()).toBe(`new ${last}`);
        expect(await store.verify()).toMatchObject({ ok: true });
        expect(store.stats().tableEntries).toBe(last + 1);
        await store.close();
        expect(round).toBeLessThan(3);
      }
    });
  });
});

/**
 * A process whose lanes write batch after batch, and say so when one is acknowledged. Batch `i` of a lane puts the
 * keys `lane/i/0` to `lane/i/3` and `lane` itself, and deletes `lane/i-1/0`.
 */
const writerScript = `
  import { writeSync } from 'node:fs';
  import { Store } from '@exopool/bpf-storage';
  const [folder, round] = process.argv.slice(1);
  writeSync(1, 'opening\\n');
  const store = await Store.open(folder, { memtableBytes: 100_000, cacheBytes: 0 });
  async function write(lane, sync) {
    for (let i = 1; ; i += 1) {
      const key = lane + '/' + i;
      const puts = [0, 1, 2, 3].map((n) => ({ type: 'put', key: key + '/' + n, value: String(i).repeat(n * 40) }));
      await store.batch([
        ...puts,
        { type: 'put', key: lane, value: String(i) },
        { type: 'del', key: lane + '/' + (i - 1) + '/0' },
      ], { sync });
      if (sync) writeSync(1, lane + ' ' + i + '\\n');
    }
  }
  await Promise.all([0, 1, 2, 3].map((lane) => write(round + '-' + lane, lane > 0)));
`;

/** How far a lane got, after checking that each of its batches is there as a whole. */
async function lastOf(store: Store, lane: string): Promise<number> {
  const last = Number((await store.get(lane))?.toString() ?? 0);
  const keys: string[] = [];
  for await (const [key, value] of store.range({ gt: `${lane}/`, lt: `${lane}0` })) {
    const [, batch, part] = key.toString().split('/');
    expect(value.toString()).toBe(batch!.repeat(Number(part) * 40));
    keys.push(key.toString());
  }
  const expected = Array.from({ length: last }, (_, index) =>
    (index + 1 === last ? [0, 1, 2, 3] : [1, 2, 3]).map((part) => `${lane}/${index + 1}/${part}`),
  );
  expect(keys).toEqual(expected.flat().sort());
  return last;
}

describe('a process that is killed at any moment', () => {
  it('loses no acknowledged write and tears no batch', { timeout }, async () => {
    await inFolder(async (folder) => {
      const lasts = new Map<string, number>();
      let acknowledged = 0;
      for (let round = 0; round < killRounds; round += 1) {
        // Some die while they open the store, and read back or flush what others left.
        const diesOpening = round % 4 === 3;
        const progress = diesOpening ? 1 : Math.ceil(Math.random() * 400);
        const delayMs = diesOpening ? Math.random() * 20 : 0;
        let count = 0;
        const enough = (): boolean => (count += 1) >= progress;
        const said = await killWhen(writerScript, [folder, String(round)], enough, delayMs);
        acknowledged += said.filter((line) => line !== 'opening').length;
        // Every other time the logs of several processes have to be replayed together.
        const store = await Store.open(folder, { readOnly: round % 2 === 0 });
        for (const lane of [0, 1, 2, 3].map((index) => `${round}-${index}`)) {
          const safe = said.findLast((line) => line.startsWith(`${lane} `))?.split(' ')[1] ?? 0;
          const last = await lastOf(store, lane);
          expect(last).toBeGreaterThanOrEqual(Number(safe));
          lasts.set(lane, last);
        }
        await store.close();
      }
      const store = await Store.open(folder);
      for (const [lane, last] of lasts) expect(await lastOf(store, lane)).toBe(last);
      expect(await store.verify()).toMatchObject({ ok: true });
      await store.close();
      console.log(`${killRounds} kills, ${acknowledged} acknowledged batches, none lost`);
    });
  });
});

/** A store with a log of synced writes, `s 0` to `s 39`, then others, `u 0` to `u 39`, that only the kernel has. */
async function storeWithLog(folder: string): Promise<{ log: string; synced: number; bytes: Buffer }> {
  const store = await Store.open(folder);
  const log = join(folder, '000001.log');
  for (let index = 0; index < 40; index += 1) await store.put(`s ${index}`, Buffer.alloc(index * 10, index));
  const synced = (await stat(log)).size;
  for (let index = 0; index < 40; index += 1)
    await store.put(`u ${index}`, Buffer.alloc(index * 10, index), { sync: false });
  const handed = synced + 40 * 56;
  await expect.poll(async () => (await stat(log)).size).toBeGreaterThan(handed);
  await cp(folder, `${folder} copy`, { recursive: true });
  await store.close();
  return {
    log: join(`${folder} copy`, '000001.log'),
    synced,
    bytes: await readFile(join(`${folder} copy`, '000001.log')),
  };
}

/** How many of `s 0`, `s 1`, … `u 0`, … are there; they must be the first ones. */
async function countPrefix(folder: string, readOnly: boolean): Promise<number> {
  const store = await Store.open(folder, { readOnly, cacheBytes: 0 });
  try {
    const keys = ['s', 'u'].flatMap((name) => Array.from({ length: 40 }, (_, index) => `${name} ${index}`));
    const values = await store.getMany(keys);
    const count = values.filter((value) => value !== undefined).length;
    for (const [index, value] of values.entries()) {
      const whole = Buffer.alloc((index % 40) * 10, index % 40);
      expect(value?.equals(whole)).toBe(index < count ? true : undefined);
    }
    return count;
  } finally {
    await store.close({ discardUnflushed: true });
  }
}

describe('a log after power loss', () => {
  it(
    'gives back all that was synced and a prefix of the rest, whatever sectors were lost',
    { timeout },
    async () => {
      await inFolder(async (parent) => {
        const { log, synced, bytes } = await storeWithLog(join(parent, 'store'));
        const fates = fc.array(fc.constantFrom(0, 0, 1, 2), { minLength: 1, maxLength: 30 });
        let [cases, torn] = [0, 0];
        await fc.assert(
          fc.asyncProperty(fates, fc.double({ min: 0, max: 1, noNaN: true }), async (fate, endShare) => {
            await writeFile(log, loseSectors(bytes, synced, fate, endShare));
            const count = await countPrefix(join(log, '..'), true);
            expect(count).toBeGreaterThanOrEqual(40);
            // A writer that dies too leaves the same.
            expect(await countPrefix(join(log, '..'), false)).toBe(count);
            expect(await countPrefix(join(log, '..'), true)).toBe(count);
            cases += 1;
            if (count < 80) torn += 1;
          }),
          { numRuns: isLong ? 1000 : 60 },
        );
        console.log(`${cases} losses of sectors, ${torn} of which cost writes that were not synced`);
      });
    },
  );

  it('may be cut anywhere past its last sync, and have any of its last sectors', { timeout }, async () => {
    await inFolder(async (parent) => {
      const { log, synced, bytes } = await storeWithLog(join(parent, 'store'));
      const prefixOf = async (left: Buffer): Promise<number> => {
        await writeFile(log, left);
        return countPrefix(join(log, '..'), true);
      };
      let [cuts, last] = [0, 40];
      for (let end = synced; end <= bytes.length; end += isLong ? 8 : 120) {
        const count = await prefixOf(bytes.subarray(0, end));
        expect(count).toBeGreaterThanOrEqual(last);
        last = count;
        cuts += 1;
      }
      // Each set of the sectors at the end is one order in which the disk may have written them.
      const sectors = Math.ceil((bytes.length - synced) / 512);
      const tried = Math.min(sectors, isLong ? 10 : 6);
      const kept = Array.from({ length: sectors - tried }, () => 0);
      const counts = new Map<number, number>();
      for (let set = 0; set < 1 << tried; set += 1) {
        for (const lost of [1, 2]) {
          const fates = Array.from({ length: tried }, (_, sector) => ((set >> sector) & 1) * lost);
          const count = await prefixOf(loseSectors(bytes, synced, [...kept, ...fates], 1));
          expect(count).toBeGreaterThanOrEqual(40);
          counts.set(count, (counts.get(count) ?? 0) + 1);
        }
      }
      expect(counts.size).toBeGreaterThan(tried / 2);
      const found = [...counts].map(([count, times]) => `${count} in ${times}`).join(', ');
      console.log(`${cuts} cuts, ${2 << tried} sets of sectors; writes found of 80: ${found}`);
    });
  });

  it(
    'with a changed byte is refused with file and offset, or ends before the change',
    { timeout },
    async () => {
      await inFolder(async (parent) => {
        const { log, synced, bytes } = await storeWithLog(join(parent, 'store'));
        let [cases, refused] = [0, 0];
        const step = isLong ? 1 : 97;
        for (let at = 0; at < bytes.length; at += step) {
          const damaged = Buffer.from(bytes);
          damaged[at]! ^= 0x10;
          await writeFile(log, damaged);
          const result = await countPrefix(join(log, '..'), true).catch((error: unknown) => error);
          cases += 1;
          if (typeof result === 'number') {
            expect(result).toBeGreaterThanOrEqual(39);
            continue;
          }
          const code = at >= 8 && at < 12 ? 'EXOPOOL_VERSION' : 'EXOPOOL_CORRUPT';
          expect(result).toMatchObject({ code, message: expect.stringContaining(log) as string });
          if (at >= logHeaderBytes) expect((result as Error).message).toMatch(/offset \d+/);
          refused += 1;
        }
        console.log(`${cases} bytes of a log changed: ${refused} refused, the others past the last sync`);
        expect(refused).toBeGreaterThan((synced / step) * 0.9);
      });
    },
  );

  it('without a whole frame is removed by the next writer', async () => {
    await inFolder(async (parent) => {
      const { log, bytes } = await storeWithLog(join(parent, 'store'));
      await writeFile(log, bytes.subarray(0, logHeaderBytes + 20));
      await (await Store.open(join(log, '..'))).close();
      expect((await readdir(join(log, '..'))).sort()).toEqual(['LOCK', 'MANIFEST']);
    });
  });

  it('that is missing is noticed by the one after it', async () => {
    await inFolder(async (parent) => {
      const { log } = await storeWithLog(join(parent, 'store'));
      const folder = join(log, '..');
      const second = await Store.open(folder);
      await second.put('x', 'y');
      await second.close({ discardUnflushed: true });
      const first = await readFile(log);
      expect((await readdir(folder)).filter((name) => name.endsWith('.log'))).toEqual([
        '000001.log',
        '000002.log',
      ]);
      const refusal = async (code: string): Promise<void> => {
        for (const readOnly of [true, false]) {
          const message = expect.stringContaining('000001.log') as string;
          await expect(Store.open(folder, { readOnly })).rejects.toMatchObject({ code, message });
        }
      };
      await writeFile(log, first.subarray(0, -8));
      await refusal('EXOPOOL_CORRUPT');
      await rm(log);
      await refusal('EXOPOOL_NOT_FOUND');
      await writeFile(log, first);
      expect(await countPrefix(folder, true)).toBe(80);
    });
  });
});
