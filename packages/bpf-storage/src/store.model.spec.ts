/** A store behaves like a sorted map, whatever is done to it and in whatever order. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreOptions } from './store-options.js';
import { Store } from './store.js';
import { inFolder } from './testing/folder.js';
import { MapTier } from './testing/map-tier.js';
import { keyArbitrary, support, valueArbitrary, type Pair } from './testing/table.js';
import type { BatchOperation } from './write.js';

/** What a store holds, as a map from keys in latin1. */
type Model = Map<string, Buffer>;

interface Real {
  store: Store;
  readonly folder: string;
  readonly options: StoreOptions;
}

const text = (key: Buffer): string => key.toString('latin1');

class Put implements fc.AsyncCommand<Model, Real> {
  constructor(
    private readonly key: Buffer,
    private readonly value: Buffer,
  ) {}
  check = (): boolean => true;
  toString = (): string => `put(${text(this.key)}, ${this.value.length} B)`;
  async run(model: Model, { store }: Real): Promise<void> {
    model.set(text(this.key), this.value);
    await store.put(this.key, this.value);
  }
}

class Delete implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly key: Buffer) {}
  check = (): boolean => true;
  toString = (): string => `del(${text(this.key)})`;
  async run(model: Model, { store }: Real): Promise<void> {
    model.delete(text(this.key));
    await store.del(this.key);
  }
}

class Batch implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly operations: readonly BatchOperation[]) {}
  check = (): boolean => true;
  toString = (): string =>
    `batch(${this.operations.map(({ type, key }) => `${type} ${String(key)}`).join(', ')})`;
  async run(model: Model, { store }: Real): Promise<void> {
    for (const operation of this.operations) {
      const key = text(operation.key as Buffer);
      if (operation.type === 'put') model.set(key, operation.value as Buffer);
      else model.delete(key);
    }
    await store.batch(this.operations);
  }
}

class Read implements fc.AsyncCommand<Model, Real> {
  constructor(
    private readonly keys: readonly Buffer[],
    private readonly single: boolean,
  ) {}
  check = (): boolean => true;
  toString = (): string => `${this.single ? 'get' : 'getMany'}(${this.keys.map(text).join(', ')})`;
  async run(model: Model, { store }: Real): Promise<void> {
    const reading = this.single
      ? Promise.all(this.keys.map((key) => store.get(key)))
      : store.getMany(this.keys);
    expect(await reading).toEqual(this.keys.map((key) => model.get(text(key))));
  }
}

class Range implements fc.AsyncCommand<Model, Real> {
  constructor(
    private readonly low: Buffer,
    private readonly high: Buffer,
    private readonly flags: { lowOpen: boolean; highOpen: boolean; reverse: boolean; limit: number },
  ) {}
  check = (): boolean => true;
  toString = (): string => `range(${text(this.low)}, ${text(this.high)}, ${JSON.stringify(this.flags)})`;
  async run(model: Model, { store }: Real): Promise<void> {
    const { lowOpen, highOpen, reverse, limit } = this.flags;
    const inside = [...model].filter(([key]) => {
      const low = Buffer.compare(Buffer.from(key, 'latin1'), this.low);
      const high = Buffer.compare(Buffer.from(key, 'latin1'), this.high);
      return (lowOpen ? low > 0 : low >= 0) && (highOpen ? high < 0 : high <= 0);
    });
    inside.sort(([a], [b]) => (a < b ? -1 : 1) * (reverse ? -1 : 1));
    const options = {
      ...(lowOpen ? { gt: this.low } : { gte: this.low }),
      ...(highOpen ? { lt: this.high } : { lte: this.high }),
      reverse,
      limit,
    };
    const found: [string, Buffer][] = [];
    for await (const [key, value] of store.range(options)) found.push([text(key), value]);
    expect(found).toEqual(inside.slice(0, limit));
  }
}

class Load implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly pairs: readonly Pair[]) {}
  check = (): boolean => true;
  toString = (): string => `load(${this.pairs.map(([key]) => text(key)).join(', ')})`;
  async run(model: Model, { store }: Real): Promise<void> {
    for (const [key, value] of this.pairs) model.set(text(key), value);
    await store.load(this.pairs);
  }
}

class Flush implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'flush()';
  async run(model: Model, { store }: Real): Promise<void> {
    await store.flush();
    expect(store.stats()).toMatchObject({ memtableEntries: 0 });
    expect(await store.verify()).toMatchObject({ ok: true });
    if (store.stats().tables === 1) expect(store.stats().tableEntries).toBe(model.size);
  }
}

class Reopen implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'reopen()';
  async run(_: Model, real: Real): Promise<void> {
    await real.store.close();
    const tier = real.options.cacheTier === undefined ? {} : { cacheTier: new MapTier() };
    real.store = await Store.open(real.folder, { ...real.options, ...tier });
  }
}

const batchOperation: fc.Arbitrary<BatchOperation> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key: keyArbitrary, value: valueArbitrary }),
  fc.record({ type: fc.constant('del' as const), key: keyArbitrary }),
);
const rangeFlags = fc.record({
  lowOpen: fc.boolean(),
  highOpen: fc.boolean(),
  reverse: fc.boolean(),
  limit: fc.oneof(fc.constant(Infinity), fc.nat(5)),
});
const commands = fc.commands(
  [
    fc.tuple(keyArbitrary, valueArbitrary).map(([key, value]) => new Put(key, value)),
    keyArbitrary.map((key) => new Delete(key)),
    fc.array(batchOperation, { maxLength: 8 }).map((operations) => new Batch(operations)),
    fc
      .tuple(fc.array(keyArbitrary, { maxLength: 8 }), fc.boolean())
      .map(([keys, single]) => new Read(keys, single)),
    fc.tuple(keyArbitrary, keyArbitrary, rangeFlags).map(([low, high, flags]) => new Range(low, high, flags)),
    fc.array(fc.tuple(keyArbitrary, valueArbitrary), { maxLength: 30 }).map((pairs) => new Load(pairs)),
    fc.constant(new Flush()),
    fc.constant(new Reopen()),
  ],
  { size: 'medium', maxCommands: 40 },
);

const configurations: { readonly name: string; readonly options: StoreOptions }[] = [
  { name: 'pread, no caches', options: { engine: 'pread', cacheBytes: 0, direct: false } },
  { name: 'pread past the page cache, tiny memtable', options: { engine: 'pread', memtableBytes: 2000 } },
  { name: 'io-uring, no caches', options: { engine: 'io-uring', cacheBytes: 0 } },
  {
    name: 'page-cache-bpf, a tier',
    options: { engine: 'page-cache-bpf', cacheBytes: 4000, cacheTier: new MapTier() },
  },
  { name: 'auto, a tier', options: { engine: 'auto', cacheTier: new MapTier() } },
];

describe('Store', () => {
  it.for(configurations)('is a sorted map ($name)', async ({ options }, { skip }) => {
    const refused = support.find(({ engine, available }) => engine === options.engine && !available);
    skip(refused !== undefined, `${options.engine ?? ''} cannot run: ${refused?.reason ?? ''}`);
    await fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        await inFolder(async (folder) => {
          const fresh = options.cacheTier === undefined ? options : { ...options, cacheTier: new MapTier() };
          const real: Real = { store: await Store.open(folder, fresh), folder, options: fresh };
          try {
            await fc.asyncModelRun(() => ({ model: new Map<string, Buffer>(), real }), sequence);
          } finally {
            await real.store.close();
          }
        });
      }),
      { numRuns: 40 },
    );
  });
});
