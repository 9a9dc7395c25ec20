/** The same keys through two engines, byte for byte: the kernel's walk has to find exactly what `pread` finds. */
import { Store } from '@exopool/bpf-storage';
import type { Random } from './random.js';

export interface EngineComparison {
  /** The engine that was compared with `pread`. */
  readonly engine: string;
  readonly keys: number;
  /** Of `keys`, those that are in the store. */
  readonly present: number;
  readonly differences: number;
}

/** Half of them present: enough to touch most interior pages and some thousand leaves, in well under a second. */
const comparedKeys = 4096;
const batchKeys = 64;

/** @throws ExopoolError `EXOPOOL_UNSUPPORTED` when `engine` cannot run here. */
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

/** A key of the store, or its neighbour that is most likely not there. */
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
