/** A process that has as many files open as it may: clear errors, nothing lost, and all goes on once there is room. */
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { inFolder } from './testing/folder.js';
import { availableEngines } from './testing/table.js';

const run = promisify(execFile);
/** Enough for Node to load its modules side by side. */
const filesMax = 512;

/**
 * With each number of free descriptors from none to more than anything needs, tries every call of a store, then gives
 * all back and tries again. Prints what it saw as JSON.
 */
const script = `
  import { closeSync, openSync } from 'node:fs';
  import { rm } from 'node:fs/promises';
  import { Store } from '@exopool/bpf-storage';
  const [folder, engine] = process.argv.slice(1);
  const held = [];
  const seen = { failed: {}, succeeded: {}, other: [], lost: [] };

  function leave(free) {
    for (;;) {
      try {
        held.push(openSync('/dev/null'));
      } catch {
        break;
      }
    }
    for (let i = 0; i < free; i += 1) closeSync(held.pop());
  }
  const giveBack = () => { for (const fd of held.splice(0)) closeSync(fd); };

  async function attempt(name, work) {
    try {
      await work();
      seen.succeeded[name] = (seen.succeeded[name] ?? 0) + 1;
      return true;
    } catch (error) {
      seen.failed[name] = (seen.failed[name] ?? 0) + 1;
      const isClear = error.code === 'EXOPOOL_IO' && /EMFILE/.test(error.message) && /ulimit/.test(error.message);
      if (!isClear) seen.other.push(name + ': ' + error.code + ': ' + error.message);
      return false;
    }
  }

  async function check(store, written, when) {
    const keys = [...written.keys()];
    const values = await store.getMany(keys);
    keys.forEach((key, i) => { if (String(values[i]) !== written.get(key)) seen.lost.push(when + ' ' + key); });
    let count = 0;
    for await (const [key, value] of store.range()) {
      if (written.get(String(key)) !== String(value)) seen.lost.push(when + ' range ' + key);
      count += 1;
    }
    if (count !== written.size) seen.lost.push(when + ' count ' + count + ' for ' + written.size);
  }

  const options = { engine, cacheBytes: 0 };
  const written = new Map();
  async function put(store, key, value) {
    await store.put(key, value);
    written.set(key, value);
  }
  let store = await Store.open(folder, options);
  // Loaded and compacted once, so that threads and rings are there.
  await put(store, 'a', 'first');
  await store.flush();
  await check(store, written, 'first');
  for (let free = 0; free < 12; free += 1) {
    await put(store, 'before ' + free, 'x'.repeat(free * 600));
    leave(free);
    await attempt('put', () => put(store, 'during ' + free, 'y' + free));
    await attempt('get', () => check(store, written, 'free ' + free));
    await attempt('flush', () => store.flush());
    await attempt('put', () => put(store, 'after flush ' + free, 'z' + free));
    await attempt('load', async () => {
      await store.load([['loaded ' + free, 'l' + free]]);
      written.set('loaded ' + free, 'l' + free);
    });
    await attempt('compact', () => store.compact());
    await attempt('backup', () => store.backup(folder + ' copy ' + free));
    await attempt('verify', async () => {
      const { ok } = await store.verify();
      if (!ok) seen.lost.push('verify');
    });
    await attempt('open', async () => {
      const reader = await Store.open(folder, { ...options, readOnly: true });
      try {
        await check(reader, written, 'reader ' + free);
      } finally {
        await reader.close();
      }
    });
    await attempt('second', async () => {
      const other = await Store.open(folder + ' other ' + free, options);
      try {
        await other.put('k', 'v');
      } finally {
        await other.close({ discardUnflushed: true });
      }
    });
    // What could not be finished may be there or not, as with any load or write that was rejected after its switch.
    giveBack();
    for (const name of ['loaded ' + free]) {
      const value = await store.get(name);
      if (value !== undefined) written.set(name, String(value));
    }
    await check(store, written, 'given back ' + free);
    await put(store, 'again ' + free, 'w');
    await store.flush();
    await store.compact();
    if (!(await store.verify()).ok) seen.lost.push('verify after ' + free);
    await check(store, written, 'compacted ' + free);
    if (free % 2 === 0) await store.close();
    else await store.close({ discardUnflushed: true });
    for (const name of [' copy ', ' other ']) await rm(folder + name + free, { recursive: true, force: true });
    store = await Store.open(folder, options);
    await check(store, written, 'reopened ' + free);
  }
  // Opening a store with too few descriptors, for a writer.
  await put(store, 'last', 'unflushed');
  await store.close({ discardUnflushed: true });
  for (let free = 0; free < 12; free += 1) {
    leave(free);
    await attempt('reopen', async () => {
      const opened = await Store.open(folder, options);
      try {
        await check(opened, written, 'opened with ' + free);
      } finally {
        await opened.close({ discardUnflushed: true });
      }
    });
    giveBack();
    const opened = await Store.open(folder, options);
    await check(opened, written, 'opened after ' + free);
    await opened.close({ discardUnflushed: true });
  }
  console.log(JSON.stringify(seen));
`;

interface Seen {
  readonly failed: Readonly<Record<string, number>>;
  readonly succeeded: Readonly<Record<string, number>>;
  readonly other: readonly string[];
  readonly lost: readonly string[];
}

describe('a process that may open no more files', () => {
  it.each(availableEngines)('loses nothing, and is told why (%s)', async (engine) => {
    await inFolder(async (parent) => {
      const command = `ulimit -n ${filesMax}; exec "$0" --input-type=module --eval "$1" "$2" "$3"`;
      const words = ['-c', command, process.execPath, script, join(parent, 'store'), engine];
      const { stdout } = await run('sh', words, { cwd: new URL('..', import.meta.url) });
      const { failed, succeeded, other, lost } = JSON.parse(stdout) as Seen;
      console.log(`${engine}: failed ${JSON.stringify(failed)}, succeeded ${JSON.stringify(succeeded)}`);
      expect(lost).toEqual([]);
      expect(other).toEqual([]);
      for (const name of ['flush', 'load', 'compact', 'backup', 'open', 'second', 'reopen']) {
        expect(failed[name]).toBeGreaterThan(0);
        expect(succeeded[name]).toBeGreaterThan(0);
      }
    });
  });
});
