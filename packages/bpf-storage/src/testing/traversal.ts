/** Traversals for tests: built from examples or from text, on lists and databases made here. */
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { tableEngineSupport, type TableEngine } from '@exopool/native';
import { buildTraversal } from '../traversal/traversal-bundle.js';
import { openBundle } from '../traversal/traversal-bundle.js';

const examples = path.join(import.meta.dirname, '..', '..', 'examples');
export const blockBytes = 4096;

/** Builds an example into a folder. @returns the bundle. */
export function buildExample(name: 'linked-list' | 'sqlite-rowid', folder: string): string {
  return buildTraversal(path.join(examples, `${name}.c`), path.join(folder, `${name}.traversal`)).object;
}

/** Builds the body of a `next` that starts at the block which its input names. @returns the bundle. */
export function buildBody(body: string, folder: string, name: string): string {
  const source = path.join(folder, `${name}.c`);
  const first = 'static __u64 first(struct traversal *t) { return input_u64(t, 0); }';
  writeFileSync(
    source,
    `#include <traversal.h>\n${first}\nstatic int next(struct traversal *t) {\n${body}\n}\n`,
  );
  return buildTraversal(source).object;
}

/** The engines that run a bundle here. */
export function enginesFor(object: string): TableEngine[] {
  const bundle = openBundle(object);
  return tableEngineSupport()
    .filter(({ available }) => available)
    .map(({ engine }) => engine)
    .filter((engine) => engine !== 'nvme-bpf')
    .filter((engine) => engine === 'pread' || engine === 'io-uring' || bundle.program(engine) !== undefined);
}

export interface Node {
  readonly key: bigint;
  readonly value: Buffer;
}

/** Writes a list whose nodes lie in the order of `places`, a permutation of the blocks. */
export function writeList(file: string, nodes: readonly Node[], places: readonly number[]): void {
  const bytes = Buffer.alloc(nodes.length * blockBytes);
  nodes.forEach(({ key, value }, i) => {
    const at = places[i]! * blockBytes;
    const following = i + 1 < nodes.length ? places[i + 1]! * blockBytes : 0;
    bytes.writeBigUInt64LE(BigInt(following), at);
    bytes.writeBigUInt64LE(key, at + 8);
    bytes.writeUInt32LE(value.length, at + 16);
    value.copy(bytes, at + 20);
  });
  writeFileSync(file, bytes);
}

/** The input of the example `linked-list`. */
export function listInput(first: number | bigint, key: bigint): Buffer {
  const input = Buffer.alloc(16);
  input.writeBigUInt64LE(BigInt.asUintN(64, BigInt(first)), 0);
  input.writeBigUInt64LE(key, 8);
  return input;
}

export const hasSqlite = spawnSync('sqlite3', ['--version']).status === 0;

/** Makes a database by `sqlite3` itself. */
export function sqlite(file: string, commands: string): string {
  const { status, stderr, stdout } = spawnSync('sqlite3', ['-batch', file], {
    input: commands,
    encoding: 'utf8',
    maxBuffer: 1 << 30,
  });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

/** A record of SQLite as `quote()` shows its columns, joined by commas; numbers and blobs only. */
export function quoteRecord(record: Buffer): string {
  const [headerLength, headerStart] = varint(record, 0);
  const columns: string[] = [];
  let content = headerLength;
  for (let at = headerStart; at < headerLength;) {
    const [type, next] = varint(record, at);
    const bytes = type < 12 ? ([0, 1, 2, 3, 4, 6, 8, 8, 0, 0][type] ?? 0) : Math.floor((type - 12) / 2);
    columns.push(quoteColumn(type, record.subarray(content, content + bytes)));
    content += bytes;
    at = next;
  }
  return columns.join(',');
}

function quoteColumn(type: number, bytes: Buffer): string {
  if (type === 0) return 'NULL';
  if (type === 8 || type === 9) return String(type - 8);
  if (type < 7) return String(BigInt.asIntN(bytes.length * 8, BigInt(`0x${bytes.toString('hex')}`)));
  if (type % 2 === 0) return `X'${bytes.toString('hex').toUpperCase()}'`;
  return `'${bytes.toString('latin1')}'`;
}

/** @returns the number, and where it ends. */
function varint(bytes: Buffer, at: number): [number, number] {
  let value = 0;
  for (let i = at; ; i += 1) {
    value = value * 128 + (bytes[i]! & 0x7f);
    if (bytes[i]! < 0x80) return [value, i + 1];
  }
}
