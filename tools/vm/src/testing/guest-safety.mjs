/**
 * Runs in a guest with an NVMe device. Changes table files while chains in them are in flight, lets every engine walk
 * tables with wrong pointers, and at the end removes the device. Prints the results as one JSON object.
 *
 *   node guest-safety.mjs '{"table":"/path","entries":60000,"rounds":2000,"changes":500}'
 */
import { Buffer } from 'node:buffer';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { setImmediate } from 'node:timers';
import { tableEngineSupport, undoLeftovers } from '@exopool/native';
import { TableFile, crc32c, loopCounters } from '@exopool/native/internal';
import { attempt, isImmutable, run } from './guest-commands.mjs';

const { table, entries, rounds, changes } = JSON.parse(process.argv[2]);
const device = '/dev/nvme0n1';
const folder = '/mnt/safety';
const batchKeys = 64;
const pageBytes = 4096;
const key = (i) => Buffer.from(`key/${String(i).padStart(8, '0')}`);
/** The value of key `i` that the test wrote; keys from `entries` on are absent. */
const value = (i) => (i < entries ? Buffer.alloc(i % 500 === 0 ? 3000 : i % 40, i) : undefined);

let state = 7;
const nextNumber = () => (state = (state * 48_271) % 2_147_483_647) % (2 * entries);

/** Looks a batch up. @returns `right`, `wrong`, or the code of a typed error. */
async function lookUp(reader, engine) {
  const numbers = Array.from({ length: batchKeys }, nextNumber);
  try {
    const found = await reader.lookupMany(numbers.map(key), engine);
    const isRight = (i, at) =>
      found[at] === undefined ? value(i) === undefined : value(i)?.equals(found[at]);
    return numbers.every((i, at) => isRight(i, at) === true) ? 'right' : 'wrong';
  } catch (error) {
    return error.code ?? error.message;
  }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));
const counted = (words) =>
  words.reduce((counts, word) => ({ ...counts, [word]: (counts[word] ?? 0) + 1 }), {});

/** Every change must be refused, and every answer must be right. */
async function changePinned(file) {
  const operations = {
    write: () => fs.closeSync(fs.openSync(file, 'r+')),
    truncate: () => fs.truncateSync(file, pageBytes),
    rename: () => fs.renameSync(file, `${file}.moved`),
    unlink: () => fs.unlinkSync(file),
    link: () => fs.linkSync(file, `${file}.link`),
  };
  const names = Object.keys(operations);
  const reader = TableFile.open(file, { cacheInterior: false });
  await lookUp(reader, 'nvme-bpf');
  const [answers, refusals] = [[], []];
  for (let round = 0; round < rounds; round += 1) {
    const lookup = lookUp(reader, 'nvme-bpf');
    refusals.push(attempt(operations[names[round % names.length]]));
    answers.push(await lookup);
  }
  const isRefused = (...words) => spawnSync(words[0], words.slice(1)).status !== 0 || isImmutable(file);
  const spawned = {
    punch: isRefused('fallocate', '--punch-hole', '--offset', '4096', '--length', '4096', file),
    defragment: isRefused('e4defrag', file),
  };
  reader.close();
  return { answers: counted(answers), refusals: counted(refusals), ...spawned, left: isImmutable(file) };
}

/** Opens the file after the changer has ended, and looks some batches up. @returns the outcome of each. */
async function visit(file, engine) {
  try {
    const reader = TableFile.open(file, { cacheInterior: false });
    const answers = [];
    for (let batch = 0; batch < 4; batch += 1) answers.push(await lookUp(reader, engine));
    reader.close();
    return answers;
  } catch (error) {
    return [error.code ?? error.message];
  }
}

/** A process with all rights removes the attribute and changes the file. No lookup may read another file's block. */
async function changeUnpinned(file, engine) {
  const before = loopCounters(engine).stale;
  const script = path.join(import.meta.dirname, 'guest-changer.pl');
  const changer = spawn('perl', [script, file, table, process.execPath, String(changes)], {
    stdio: 'inherit',
  });
  let status;
  changer.once('exit', (code) => (status = code));
  const answers = [];
  while (status === undefined) {
    answers.push(...(await visit(file, engine)));
    await turn();
  }
  const { wrong = 0, right = 0, ...codes } = counted(answers);
  return { status, wrong, right, codes: Object.keys(codes), stale: loopCounters(engine).stale - before };
}

/** Makes a copy of the table in which every child of the root is at `offset`. */
function withChildren(offset) {
  const bytes = fs.readFileSync(table);
  const root = bytes.subarray(Number(bytes.readBigUInt64LE(24))).subarray(0, pageBytes);
  for (let slot = 0; slot < root.readUInt16LE(6); slot += 1)
    root.writeBigUInt64LE(offset, root.readUInt16LE(32 + 8 * slot + 4));
  root.writeUInt32LE(crc32c(root.subarray(4)), 0);
  return bytes;
}

async function leadAstray() {
  const bytes = BigInt(fs.statSync(table).size);
  const root = fs.readFileSync(table).readBigUInt64LE(24);
  const places = { end: bytes, outside: 1n << 40n, negative: -4096n & 0xffffffffffffffffn, odd: root + 8n };
  const codes = {};
  for (const [name, offset] of Object.entries({ ...places, loop: root, header: 0n })) {
    const file = path.join(folder, name);
    fs.writeFileSync(file, withChildren(offset));
    for (const { engine } of tableEngineSupport().filter(({ available }) => available)) {
      const reader = TableFile.open(file, { cacheInterior: false });
      (codes[engine] ??= []).push(await lookUp(reader, engine));
      reader.close();
    }
  }
  return Object.fromEntries(Object.entries(codes).map(([engine, all]) => [engine, counted(all)]));
}

const loadedPrograms = () =>
  fs.readFileSync('/proc/kallsyms', 'utf8').match(/bpf_prog_\w+_loop_step/g)?.length ?? 0;

async function until(holds) {
  while (!holds()) await turn();
}

/** Kills a process with chains in flight. It may leave only the attribute, which the next process removes. */
async function killInMidChain(file) {
  const before = loadedPrograms();
  const script = `const { TableFile } = await import('@exopool/native/internal');
    const reader = TableFile.open(${JSON.stringify(file)}, { cacheInterior: false });
    const keys = Array.from({ length: 5000 }, (_, i) => Buffer.from('key/' + i));
    for (;;) { const lookup = reader.lookupMany(keys, 'nvme-bpf'); process.stdout.write('.'); await lookup; }`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd: import.meta.dirname });
  await once(child.stdout, 'data');
  await once(child.stdout, 'data');
  const during = loadedPrograms();
  child.kill('SIGKILL');
  await once(child, 'exit');
  const left = isImmutable(file);
  await undoLeftovers();
  await until(() => loadedPrograms() <= before);
  return { more: during - before, left, after: isImmutable(file) };
}

/** Removes the device while chains are in flight. */
async function removeDevice(file) {
  const reader = TableFile.open(file, { cacheInterior: false });
  const controller = fs.readdirSync('/sys/class/nvme')[0];
  const lookup = lookUp(reader, 'nvme-bpf');
  fs.writeFileSync(`/sys/class/nvme/${controller}/device/remove`, '1');
  const underWay = await lookup;
  return { underWay, after: await lookUp(reader, 'nvme-bpf') };
}

fs.writeFileSync('/proc/sys/net/core/bpf_jit_kallsyms', '1');
fs.mkdirSync(folder, { recursive: true });
run('mkfs.ext4', '-q', '-F', '-b', '4096', device);
run('mount', device, folder);
const file = path.join(folder, 'table');
fs.copyFileSync(table, file);
const result = { pinned: await changePinned(file) };
for (const engine of ['nvme-bpf', 'io-uring-bpf']) {
  fs.copyFileSync(table, file);
  result[engine] = await changeUnpinned(file, engine);
}
result.astray = await leadAstray();
fs.copyFileSync(table, file);
result.killed = await killInMidChain(file);
result.removed = await removeDevice(file);
process.stdout.write(JSON.stringify(result));
