/** Damaged files of a store, and what its reads make of them: the truth, or an error that says where. */
import { open, readFile, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { expect } from 'vitest';
import { Store } from '../store.js';
import type { StoreOptions } from '../store-options.js';
import { availableEngines } from './table.js';

/** Keys in latin1, each with its value; `undefined` for a key that was deleted. */
export type Rows = ReadonlyMap<string, Buffer | undefined>;

/** Where damage shows first. `nowhere`: every read gives what was written, and `verify` finds nothing either. */
export const places = ['open', 'read', 'verify', 'nowhere'] as const;
export type Place = (typeof places)[number];

/** Cases counted by the place where they showed. */
export class Tally {
  readonly #counts = new Map<string, number>();

  add(place: string): void {
    this.#counts.set(place, this.of(place) + 1);
  }

  of(place: string): number {
    return this.#counts.get(place) ?? 0;
  }

  toString(): string {
    const total = [...this.#counts.values()].reduce((sum, count) => sum + count, 0);
    return `${total} cases: ${[...this.#counts].map(([place, count]) => `${place} ${count}`).join(', ')}`;
  }
}

/** Runs `check` while the file has other bytes. */
export async function withBytes<T>(path: string, bytes: Buffer, check: () => Promise<T>): Promise<T> {
  const intact = await readFile(path);
  await writeFile(path, bytes);
  try {
    return await check();
  } finally {
    await writeFile(path, intact);
  }
}

/** Runs `check` while the byte at `at` is another one. */
export async function withByte<T>(
  path: string,
  at: number,
  byte: number,
  check: () => Promise<T>,
): Promise<T> {
  const file = await open(path, 'r+');
  try {
    const { buffer: intact } = await file.read(Buffer.alloc(1), 0, 1, at);
    await file.write(Buffer.of(byte), 0, 1, at);
    try {
      return await check();
    } finally {
      await file.write(intact, 0, 1, at);
    }
  } finally {
    await file.close();
  }
}

/**
 * Opens the store in `folder`, of whose files `file` is damaged, and reads all of it in every way. `rows` is what it
 * should hold; more than one when the damage may stand for a crash.
 */
export async function whereItShows(
  folder: string,
  file: string,
  rows: readonly Rows[],
  options: StoreOptions,
): Promise<Place> {
  const path = join(folder, file);
  let store: Store;
  try {
    store = await Store.open(folder, { cacheBytes: 0, ...options });
  } catch (error) {
    requireNamed(error, path);
    return 'open';
  }
  try {
    const failures = await readAll(store, rows);
    for (const error of failures) requireNamed(error, path);
    const { ok, problems } = await store.verify();
    for (const problem of problems) expect(basename(problem.file)).toBe(file);
    // What a read notices, verify finds.
    if (failures.length > 0) expect(ok).toBe(false);
    return failures.length > 0 ? 'read' : ok ? 'nowhere' : 'verify';
  } finally {
    await store.close({ discardUnflushed: true });
  }
}

/** Reads everything by `get`, `getMany`, `has` and `range` both ways. @returns what failed; the rest was right. */
async function readAll(store: Store, rows: readonly Rows[]): Promise<unknown[]> {
  const keys = [...rows[0]!.keys()];
  const bytes = keys.map((key) => Buffer.from(key, 'latin1'));
  const single = await Promise.allSettled(bytes.map((key) => store.get(key)));
  const failures: unknown[] = single.flatMap((got) =>
    got.status === 'rejected' ? [got.reason as unknown] : [],
  );
  const found = single.map((got) => (got.status === 'rejected' ? got : got.value));
  const truth = rows.find((candidate) =>
    found.every((got, index) => !isValue(got) || isSame(got, candidate.get(keys[index]!))),
  );
  expect(truth, 'get gave a value that was never written').toBeDefined();
  const attempt = async (read: () => Promise<void>): Promise<void> => {
    await read().catch((error: unknown) => {
      if (!(error instanceof ExopoolError)) throw error;
      failures.push(error);
    });
  };
  await attempt(async () => {
    const values = await store.getMany(bytes);
    expect(values.every((value, index) => isSame(value, truth!.get(keys[index]!)))).toBe(true);
  });
  await attempt(async () => {
    expect(await store.has(bytes[0]!)).toBe(truth!.get(keys[0]!) !== undefined);
  });
  const present = [...truth!].filter(([, value]) => value !== undefined).sort(([a], [b]) => (a < b ? -1 : 1));
  for (const reverse of [false, true]) {
    const expected = reverse ? present.toReversed() : present;
    await attempt(async () => {
      let at = 0;
      for await (const [key, value] of store.range({ reverse })) {
        expect(key.toString('latin1')).toBe(expected[at]?.[0]);
        expect(value.equals(expected[at]![1]!)).toBe(true);
        at += 1;
      }
      expect(at).toBe(expected.length);
    });
  }
  return failures;
}

type Got = Buffer | undefined | PromiseRejectedResult;
const isValue = (got: Got): got is Buffer | undefined => got === undefined || Buffer.isBuffer(got);
const isSame = (a: Buffer | undefined, b: Buffer | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.equals(b);

/** An error of damage names the file and, in files that have places, the offset. */
function requireNamed(error: unknown, path: string): void {
  if (!(error instanceof ExopoolError)) throw error;
  expect(['EXOPOOL_CORRUPT', 'EXOPOOL_VERSION', 'EXOPOOL_NOT_FOUND']).toContain(error.code);
  expect(error.message).toContain(path);
  if (error.code === 'EXOPOOL_CORRUPT') expect(error.message).toMatch(/offset \d+/);
}

/** The engines in turn, so that each sees a share of the cases; few past the page cache, which waits for the disk. */
export function engineFor(index: number): StoreOptions {
  return { engine: availableEngines[index % availableEngines.length]!, direct: index % 32 === 0 };
}
