/**
 * Runs in a guest with an NVMe device. Looks up rows of a SQLite database, and runs traversals that break rules, by
 * every engine. Prints the results as one JSON object.
 *
 *   node guest-traversals.mjs '{"folder":"/path","rows":5000,"hostile":6}'
 */
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { Traversal, sqliteRowInput, sqliteTable } from '@exopool/bpf-storage';

const { folder, rows, hostile } = JSON.parse(process.argv[2]);
const device = '/dev/nvme0n1';
const database = '/mnt/rows.db';
/** Largest result of the kernel, in bytes. */
const kernelResultMax = 4096;

function run(program, ...words) {
  const { status, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr || error}`);
}

run('mkfs.ext4', '-q', '-F', '-b', '4096', device);
run('mount', device, '/mnt');
fs.copyFileSync(path.join(folder, 'rows.db'), database);
run('sync');

const table = sqliteTable(database, 'r');
const inputs = Array.from({ length: rows + 2 }, (_, i) => sqliteRowInput(table, i));

function attempt(work) {
  try {
    work();
    return 'done';
  } catch (error) {
    return error.code;
  }
}

/** The end of a chain that breaks a rule: the error's code, and the counter. */
async function breakRules(engine) {
  const ends = [];
  for (let i = 0; i < hostile; i += 1) {
    const traversal = await Traversal.load({ object: path.join(folder, 'hostile'), file: database, engine });
    const [{ error }] = await traversal.run([Buffer.from([i])]);
    const [end] = Object.entries(traversal.stats().ends).find(([, count]) => count > 0);
    await traversal.close();
    ends.push(`${error?.code} ${end}`);
  }
  return ends;
}

async function loadEndless(engine) {
  try {
    await (await Traversal.load({ object: path.join(folder, 'endless'), file: database, engine })).close();
    return 'done';
  } catch (error) {
    return error.code;
  }
}

async function walk(engine) {
  const traversal = await Traversal.load({ object: path.join(folder, 'rowid'), file: database, engine });
  const results = await traversal.run(inputs);
  const { ends, returned } = traversal.stats();
  const openForWriting = () => fs.closeSync(fs.openSync(database, 'r+'));
  const pinned = attempt(openForWriting);
  await traversal.close();
  const counts = { done: ends.done, returned, pinned, unpinned: attempt(openForWriting) };
  return { results, counts };
}

const wanted = (await walk('pread')).results;
const found = { pread: { long: wanted.filter(({ value }) => value?.length > kernelResultMax).length } };
for (const engine of ['page-cache-bpf', 'io-uring-bpf', 'nvme-bpf']) {
  const { results, counts } = await walk(engine);
  const isSame = (a, b) => a.status === b.status && (a.value === undefined || a.value.equals(b.value));
  const differences = results.filter((result, i) => !isSame(result, wanted[i])).length;
  const broken = await breakRules(engine);
  found[engine] = { differences, ...counts, broken, endless: await loadEndless(engine) };
}
process.stdout.write(JSON.stringify(found));
