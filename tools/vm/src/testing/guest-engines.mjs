/**
 * Runs in a guest with an NVMe device. Looks keys up by the engines of the kernel's ring and by `pread`, on several
 * file systems. Tries changes to pinned files that must fail. Prints the results as one JSON object.
 *
 *   node guest-engines.mjs '{"table":"/path","lookups":100000,"blockBytes":512}'
 */
import { Buffer } from 'node:buffer';
import { spawnSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import process from 'node:process';
import { tableEngineSupport, undoLeftovers } from '@exopool/native';
import { TableFile, loopCounters } from '@exopool/native/internal';
import { attempt, isImmutable, run } from './guest-commands.mjs';

const { table, lookups, blockBytes } = JSON.parse(process.argv[2]);
const device = '/dev/nvme0n1';
const callKeys = 65_536;
/** Key `i`. The table that the test wrote has the first half of the keys that are looked up. */
const key = (i) => Buffer.from(`key/${String(i).padStart(8, '0')}`);
const partitionMiB = 64;

/** Makes three partitions, the first at an odd block. The partition table is 64 bytes at the end of the first block. */
function partition() {
  const mbr = Buffer.alloc(blockBytes);
  const partitionBlocks = (partitionMiB << 20) / blockBytes;
  for (let i = 0; i < 3; i += 1) {
    const entry = 446 + 16 * i;
    mbr[entry + 4] = 0x83;
    mbr.writeUInt32LE(63 + i * partitionBlocks * 5, entry + 8);
    mbr.writeUInt32LE(partitionBlocks * 5, entry + 12);
  }
  mbr.writeUInt16LE(0xaa55, 510);
  fs.writeFileSync(device, mbr, { flag: 'r+' });
  run('blockdev', '--rereadpt', device);
}

/** @param kib size in KiB; by default the whole partition */
function makeFileSystem(number, program, options, kib = []) {
  const folder = `/mnt/${number}`;
  fs.mkdirSync(folder, { recursive: true });
  run(program, ...options, `${device}p${number}`, ...kib);
  run('mount', `${device}p${number}`, folder);
  return folder;
}

function copyWhole(folder) {
  const target = path.join(folder, 'table');
  fs.copyFileSync(table, target);
  return target;
}

/**
 * Copies the table to a small file system of 1 KiB blocks whose free space is in pieces of 13 KiB, so that one page in
 * four lies in two pieces.
 */
function copyInPieces(folder) {
  const fill = (name, bytes) => fs.writeFileSync(path.join(folder, name), Buffer.alloc(bytes));
  let files = 0;
  try {
    for (;;) {
      fill(`${files}-gone`, 13_312);
      fill(`${files}-stays`, 1024);
      files += 1;
    }
  } catch (error) {
    if (error.code !== 'ENOSPC') throw error;
  }
  run('sync');
  for (let i = 0; i < files; i += 1) fs.unlinkSync(path.join(folder, `${i}-gone`));
  run('sync');
  return copyWhole(folder);
}

const isSame = (a, b) => a === b || (a instanceof Buffer && b instanceof Buffer && a.equals(b));

/** Looks up random keys by both engines. @returns the number of answers that differ. */
async function countDifferences(reader, engine, count, entries) {
  let state = 7;
  let differences = 0;
  for (let left = count; left > 0; left -= callKeys) {
    const keys = Array.from({ length: Math.min(left, callKeys) }, () => {
      state = (state * 48_271) % 2_147_483_647;
      return key(state % (2 * entries));
    });
    const wanted = await reader.lookupMany(keys, 'pread');
    const found = await reader.lookupMany(keys, engine);
    differences += found.filter((value, i) => !isSame(value, wanted[i])).length;
  }
  return differences;
}

/** The result of {@link countDifferences}, and the number of chains by how they ended. */
async function compare(file, engine, count, entries) {
  const reader = TableFile.open(file);
  const before = loopCounters(engine);
  const differences = await countDifferences(reader, engine, count, entries);
  const after = loopCounters(engine);
  reader.close();
  const ends = Object.keys(after).map((name) => [name, after[name] - before[name]]);
  return { differences, ...Object.fromEntries(ends) };
}

/** Tries changes that must fail while the file's extents are in use, and must succeed afterwards. */
async function changePinned(file) {
  const reader = TableFile.open(file);
  await reader.lookupMany([key(1)], 'nvme-bpf');
  const changes = {
    write: () => fs.closeSync(fs.openSync(file, 'r+')),
    truncate: () => fs.truncateSync(file, 4096),
    rename: () => fs.renameSync(file, `${file}.moved`),
    unlink: () => fs.unlinkSync(file),
    punch: () => run('fallocate', '--punch-hole', '--offset', '4096', '--length', '4096', file),
  };
  const pinned = Object.fromEntries(Object.entries(changes).map(([name, work]) => [name, attempt(work)]));
  const second = TableFile.open(file);
  await second.lookupMany([key(1)], 'nvme-bpf');
  reader.close();
  const afterFirst = isImmutable(file);
  second.close();
  return { ...pinned, afterFirst, afterLast: isImmutable(file), unpinned: attempt(changes.write) };
}

/** Releases the pin while thousands of chains are in flight. */
async function closeUnderWay(file, entries) {
  const reader = TableFile.open(file);
  const keys = Array.from({ length: 20_000 }, (_, i) => key((i * 7) % (2 * entries)));
  const wanted = await reader.lookupMany(keys, 'pread');
  const before = loopCounters('nvme-bpf').stale;
  const lookup = reader.lookupMany(keys, 'nvme-bpf');
  reader.close();
  const found = await lookup;
  const differences = found.filter((value, i) => !isSame(value, wanted[i])).length;
  return { differences, stale: loopCounters('nvme-bpf').stale - before };
}

async function refusal(file) {
  const reader = TableFile.open(file);
  try {
    await reader.lookupMany([key(1)], 'nvme-bpf');
    return 'none';
  } catch (error) {
    return `${error.code}: ${error.message}`;
  } finally {
    reader.close();
  }
}

async function foreignAttribute(file) {
  run('chattr', '+i', file);
  const reader = TableFile.open(file);
  await reader.lookupMany([key(1)], 'nvme-bpf');
  reader.close();
  const stays = isImmutable(file);
  run('chattr', '-i', file);
  return stays;
}

/** A process that is killed while it has a pin. */
async function killedWithPin(file) {
  const script = `const { TableFile } = await import('@exopool/native/internal');
    const reader = TableFile.open(${JSON.stringify(file)});
    await reader.lookupMany([Buffer.from('x')], 'nvme-bpf');
    process.kill(process.pid, 'SIGKILL');`;
  const child = spawnSync(process.execPath, ['--input-type=module', '-e', script], {
    cwd: import.meta.dirname,
  });
  const left = isImmutable(file);
  await undoLeftovers();
  return { signal: child.signal, left, after: isImmutable(file) };
}

const result = { support: tableEngineSupport() };
const isOn = (engine) => result.support.find((entry) => entry.engine === engine).available;

const { entries } = (() => {
  const reader = TableFile.open(table);
  reader.close();
  return reader.header;
})();
if (isOn('nvme-bpf')) {
  partition();
  const ext4 = copyWhole(makeFileSystem(1, 'mkfs.ext4', ['-q', '-F', '-b', '4096']));
  run('sync');
  result.ext4Ring = await compare(ext4, 'io-uring-bpf', lookups, entries);
  result.ext4Nvme = await compare(ext4, 'nvme-bpf', lookups, entries);
  result.changed = await changePinned(ext4);
  result.closed = await closeUnderWay(ext4, entries);
  result.foreignStays = await foreignAttribute(ext4);
  result.killed = await killedWithPin(ext4);
  result.refused = await refusal(table);
  if (blockBytes === 512) {
    const pieces = copyInPieces(
      makeFileSystem(2, 'mkfs.ext4', ['-q', '-F', '-b', '1024', '-N', '4096'], ['12288']),
    );
    result.straddling = await compare(pieces, 'nvme-bpf', 1000, entries);
  }
  if (fs.existsSync('/usr/sbin/mkfs.xfs')) {
    const xfs = copyWhole(makeFileSystem(3, 'mkfs.xfs', ['-q', '-f']));
    result.xfs = await compare(xfs, 'nvme-bpf', 1000, entries);
  }
}
if (isOn('page-cache-bpf')) {
  const reader = TableFile.open(table);
  result.pageCache = { differences: await countDifferences(reader, 'page-cache-bpf', lookups, entries) };
  reader.close();
}
process.stdout.write(JSON.stringify(result));
