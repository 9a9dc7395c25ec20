/** Looks up the same keys by two engines and compares the values: the kernel's walk must find what `pread` finds. */
import { Store } from '@exopool/bpf-storage';
import type { Random } from './random.js';

export interface EngineComparison {
  /** The engine that was compared with `pread`. */
  readonly engine: string;
  readonly keys: number;
  /** Number of `keys` that are in the store. */
  readonly present: number;
  readonly differences: number;
}

/** Half of them are present. They touch most interior pages and some thousand leaves, in less than a second. */
const comparedKeys = 4096;
const batchKeys = 64;

/** @throws ExopoolError `EXOPOOL_UNSUPPORTED` if `engine` cannot run here. */
export async function compareEngines(
  storePath: string,
  engine: 'page-cache-bpf',
  keys: readonly Buffer[],
  random: Random,
): Promise<EngineComparison> {
  const readOnly = { readOnly: true, createIfMissing: false, cacheBytes: 0 };
  await using ours = await Store.open(storePath, { ...readOnly, engine });
  await using reference = await Store.open(storePath, { ...readOnly, engine: 'pread' });
  let present = 0;
  let differences = 0;
  for (let done = 0; done < comparedKeys; done += batchKeys) {
    const batch = Array.from({ length: batchKeys }, (_, index) => pickKey(keys, random, index % 2 === 0));
    const [found, expected] = await Promise.all([ours.getMany(batch), reference.getMany(batch)]);
    batch.forEach((_, index) => {
      if (expected[index] !== undefined) present += 1;
      if (!sameValue(found[index], expected[index])) differences += 1;
    });
  }
  return { engine, keys: comparedKeys, present, differences };
}

/** A key of the store, or a key next to it that is most likely absent. */
function pickKey(keys: readonly Buffer[], random: Random, present: boolean): Buffer {
  const key = keys[Math.floor(random() * keys.length)]!;
  if (present) return key;
  const absent = Buffer.from(key);
  absent[absent.length - 1]! ^= 1 + Math.floor(random() * 255);
  return absent;
}

function sameValue(a: Buffer | undefined, b: Buffer | undefined): boolean {
  return a === undefined || b === undefined ? a === b : a.equals(b);
}
