/** Closing a store in the middle of its work. */
import { setImmediate } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { Store } from './store.js';
import { inFolder } from './testing/folder.js';
import { MapTier } from './testing/map-tier.js';

const coded = (code: string) => expect.objectContaining({ code }) as Error;

/** Takes values in when it is told to. */
class SlowTier extends MapTier {
  goOn: () => void = () => undefined;
  readonly #held = new Promise<void>((resolve) => (this.goOn = resolve));

  override async putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    await super.putMany(entries);
    await this.#held;
  }
}

function* numbered(count: number, first: string): Generator<[string, string]> {
  for (let index = 0; index < count; index += 1) yield [`${first} ${index}`, 'x'.repeat(500)];
}

it('stops a load that waits for a slow tier before it touches anything', async () => {
  await inFolder(async (folder) => {
    const tier = new SlowTier();
    const options = { cacheTier: tier, cacheBytes: 0, compactionBytesPerSecond: 64 * 1024 };
    const store = await Store.open(folder, options);
    await store.load(numbered(3000, 'a'));
    await store.load(numbered(3000, 'b'));
    await store.put('c', 'in the log');
    await store.get('a 1');
    const load = store.load([['d', 'never']]);
    await setImmediate();
    // Closing waits for the merge of the two tables to notice; the load gets its turn meanwhile.
    const closed = store.close({ discardUnflushed: true });
    tier.goOn();
    await expect(load).rejects.toEqual(coded('EXOPOOL_CLOSED'));
    await closed;
    const reopened = await Store.open(folder);
    expect(await reopened.aggregate()).toMatchObject({ count: 6001 });
    await reopened.close();
  });
});

it('tells a compaction that it was ended by closing', async () => {
  await inFolder(async (folder) => {
    const store = await Store.open(folder, { compactionBytesPerSecond: 64 * 1024 });
    await store.load(numbered(3000, 'a'));
    await store.load(numbered(3000, 'b'));
    // Behind the merge in the background, which takes its time.
    const compaction = store.compact();
    await setImmediate();
    const closed = store.close();
    await expect(compaction).rejects.toEqual(coded('EXOPOOL_CLOSED'));
    await closed;
  });
});
