/** Disks that are full or read-only, and processes that die: nothing acknowledged as durable is lost. */
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, it } from 'vitest';
import { Store } from './store.js';
import { inFolder, leftovers } from './testing/folder.js';

const isRoot = process.getuid?.() === 0;
const coded = (code: string) => expect.objectContaining({ code }) as Error;

/** A value that does not compress and does not fit into a leaf. */
const value = (fill: number): Buffer => Buffer.alloc(2000, fill);

/** Runs `work` in a small file system of its own. @returns why it could not, if so. */
async function inTmpfs(bytes: number, work: (folder: string) => Promise<void>): Promise<string | undefined> {
  if (!isRoot) return 'only root can mount a tmpfs';
  return inFolder(async (folder) => {
    try {
      execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${bytes}`, 'tmpfs', folder], { stdio: 'pipe' });
    } catch (error) {
      return `a tmpfs cannot be mounted: ${(error as Error).message}`;
    }
    try {
      await work(folder);
      return undefined;
    } finally {
      execFileSync('umount', ['--lazy', folder]);
    }
  });
}

async function expectRows(store: Store, count: number): Promise<void> {
  const rows = await store.getMany(Array.from({ length: count }, (_, index) => `key ${index}`));
  for (const [index, row] of rows.entries()) expect(row?.equals(value(index))).toBe(true);
}

describe('a full disk', () => {
  it('fails the flush, the load and the write that needed it; the store goes on, and recovers', async ({
    skip,
  }) => {
    const reason = await inTmpfs(2 << 20, async (folder) => {
      const store = await Store.open(folder, { memtableBytes: 400_000 });
      for (let index = 0; index < 100; index += 1) await store.put(`key ${index}`, value(index));
      await store.flush();
      await writeFile(join(folder, 'ballast'), Buffer.alloc(1_500_000));
      const before = await readdir(folder);
      let written = 100;
      const fill = async (): Promise<void> => {
        for (; ; written += 1) await store.put(`key ${written}`, value(written));
      };
      await expect(fill()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await expect(store.flush()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      const entries = Array.from({ length: 900 }, (_, index) => [`load ${index}`, value(index)] as const);
      await expect(store.load(entries)).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await expect(store.load(entries, { runBytes: 1 << 20 })).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await expect(store.close()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      expect(await readdir(folder)).toEqual(before);
      await expectRows(store, written);
      expect(await store.get(`key ${written}`)).toBeUndefined();
      await rm(join(folder, 'ballast'));
      await store.close();
      const reopened = await Store.open(folder);
      await expectRows(reopened, written);
      expect(await reopened.verify()).toMatchObject({ ok: true, entries: written });
      await reopened.close();
    });
    skip(reason !== undefined, reason);
  });

  it('can be given up on', async ({ skip }) => {
    const reason = await inTmpfs(300_000, async (folder) => {
      const store = await Store.open(folder);
      for (let index = 0; index < 200; index += 1) await store.put(`key ${index}`, value(index));
      await expect(store.close()).rejects.toEqual(coded('EXOPOOL_NO_SPACE'));
      await store.close({ discardUnflushed: true });
      const reopened = await Store.open(folder);
      expect(await reopened.get('key 1')).toBeUndefined();
      await reopened.close();
    });
    skip(reason !== undefined, reason);
  });
});

describe('a limit on the size of files', () => {
  it('fails the flush, and the next one succeeds when the limit is lifted', async ({ skip }) => {
    const limit = (bytes: string): void => {
      execFileSync('prlimit', [`--pid=${process.pid}`, `--fsize=${bytes}:`], { stdio: 'pipe' });
    };
    try {
      limit('unlimited');
    } catch (error) {
      skip(`prlimit cannot run: ${(error as Error).message}`);
    }
    await inFolder(async (folder) => {
      const store = await Store.open(folder);
      for (let index = 0; index < 300; index += 1) await store.put(`key ${index}`, value(index));
      limit('200000');
      try {
        await expect(store.flush()).rejects.toEqual(coded('EXOPOOL_IO'));
      } finally {
        limit('unlimited');
      }
      expect(await leftovers(folder)).toEqual([]);
      await expectRows(store, 300);
      await store.close();
      const reopened = await Store.open(folder, { readOnly: true });
      await expectRows(reopened, 300);
      await reopened.close();
    });
  });
});

it('a folder that cannot be made is an error, also where mkdir has no end', async () => {
  await expect(Store.open('/proc/store')).rejects.toEqual(coded('EXOPOOL_NOT_FOUND'));
});

describe('a read-only folder', () => {
  it('is refused to a writer and open to a reader', async ({ skip }) => {
    const check = async (folder: string): Promise<void> => {
      await expect(Store.open(folder)).rejects.toEqual(coded('EXOPOOL_PERMISSION'));
      const reader = await Store.open(folder, { readOnly: true });
      await expectRows(reader, 10);
      await reader.close();
    };
    const fill = async (folder: string): Promise<void> => {
      const store = await Store.open(folder);
      for (let index = 0; index < 10; index += 1) await store.put(`key ${index}`, value(index));
      await store.close();
    };
    if (isRoot) {
      const reason = await inTmpfs(2 << 20, async (folder) => {
        await fill(folder);
        execFileSync('mount', ['-o', 'remount,ro', folder]);
        await check(folder);
      });
      skip(reason !== undefined, reason);
    } else {
      await inFolder(async (parent) => {
        const folder = join(parent, 'store');
        await mkdir(folder);
        await fill(folder);
        await rm(join(folder, 'LOCK'));
        await chmod(folder, 0o555);
        try {
          await check(folder);
        } finally {
          await chmod(folder, 0o755);
        }
      });
    }
  });
});

/** A process that works on a store, says what it has done line by line, and waits for ever at `stop`. */
const childScript = `
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

/** Starts the child, waits until it says `stop`, and kills it there. */
async function killAt(folder: string, stop: string): Promise<void> {
  const packageFolder = new URL('..', import.meta.url);
  const args = ['--input-type=module', '--eval', childScript, folder, stop];
  const child: ChildProcess = spawn(process.execPath, args, {
    cwd: packageFolder,
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const said: string[] = [];
  try {
    for await (const line of createInterface({ input: child.stdout! })) {
      said.push(line);
      if (line === stop) break;
    }
  } finally {
    child.kill('SIGKILL');
    await exited;
  }
  expect(said.at(-1)).toBe(stop);
}

describe('a process that is killed', () => {
  it.each(['load read', 'load merge', 'load merged'])('at "%s" leaves the old content', async (stop) => {
    await inFolder(async (folder) => {
      const first = await Store.open(folder);
      for (let index = 0; index < 50; index += 1) await first.put(`key ${index}`, value(index));
      await first.close();
      for (let round = 0; round < 2; round += 1) await killAt(folder, stop);
      expect((await leftovers(folder)).length).toBeGreaterThan(0);
      const store = await Store.open(folder);
      expect(await leftovers(folder)).toEqual([]);
      await expectRows(store, 50);
      expect(await store.verify()).toMatchObject({ ok: true, entries: 50 });
      await store.close();
      expect((await readdir(folder)).sort()).toEqual(['000001.table', 'LOCK', 'MANIFEST']);
    });
  });

  it('between flushes leaves everything that was flushed', async () => {
    await inFolder(async (folder) => {
      for (const [round, last] of [5, 9, 20].entries()) {
        await killAt(folder, `flushed ${last}`);
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
