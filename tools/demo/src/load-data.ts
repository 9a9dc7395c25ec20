/** Fills the store that the consumer will read, and writes the digests of its values. */
import { Store } from '@exopool/bpf-storage';
import { ExopoolError } from '@exopool/shared';
import { DigestCollector } from './key-digests.js';

/** A source of real data, to be read once. */
export interface DemoData {
  /** A description of the data, for people. */
  readonly name: string;
  entries(): AsyncIterable<readonly [key: Buffer, value: Buffer]>;
}

export interface LoadedData {
  /** Number of distinct keys. */
  readonly entries: number;
  /** Size of the table file. */
  readonly bytes: number;
}

/** @throws ExopoolError `EXOPOOL_INPUT` if there is too little data, and the errors of reading and storing. */
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

/** With fewer keys all values would stay in the local cache, and the demo would measure only that cache. */
const entriesMin = 1000;
