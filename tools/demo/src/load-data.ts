/** Fills the store that the consumer will read, and remembers what went in. */
import { Store } from '@exopool/bpf-storage';
import { ExopoolError } from '@exopool/shared';
import { DigestCollector } from './key-digests.js';

/** Real data, read once. */
export interface DemoData {
  /** What it is, for people. */
  readonly name: string;
  entries(): AsyncIterable<readonly [key: Buffer, value: Buffer]>;
}

export interface LoadedData {
  /** Different keys. */
  readonly entries: number;
  /** Of the table file. */
  readonly bytes: number;
}

/** @throws ExopoolError what reading or storing throws; `EXOPOOL_INPUT` when there is too little data. */
export async function loadData(
  data: DemoData,
  storePath: string,
  digestsPath: string,
  onProgress: (bytes: number) => void,
  signal: AbortSignal,
): Promise<LoadedData> {
  const digests = new DigestCollector();
  async function* remembered(): AsyncGenerator<readonly [Buffer, Buffer]> {
    for await (const [key, value] of data.entries()) {
      digests.add(key, value);
      yield [key, value];
    }
  }
  await using store = await Store.open(storePath);
  const result = await store.load(remembered(), { signal, onProgress: ({ bytes }) => onProgress(bytes) });
  if (digests.size < entriesMin) {
    throw new ExopoolError(
      'EXOPOOL_INPUT',
      `${data.name} has ${digests.size} entries; the demo needs ${entriesMin}`,
    );
  }
  await digests.write(digestsPath);
  return { entries: result.entries, bytes: result.bytes };
}

/** Fewer would all stay in the local cache, and every figure would be that cache's. */
const entriesMin = 1000;
