/** A store behaves like a sorted map, whatever is done to it and in whatever order, crashes included. */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { skipWithout } from '@exopool/house';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { StoreOptions } from './store-options.js';
import type { Snapshot } from './snapshot.js';
import { Store } from './store.js';
import { copyAtOnce, inFolder } from './testing/folder.js';
import { MapTier } from './testing/map-tier.js';
import { keyArbitrary, support, valueArbitrary, type Pair } from './testing/table.js';
import type { BatchOperation } from './write/write.js';

const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
/** Sequences of each configuration. A failure is made smaller, and printed with the seed that repeats it. */
const sequences = isLong ? 100 : 30;
const timeout = isLong ? 3_600_000 : 600_000;

/** What a store holds, as a map from keys in latin1. */
type Content = Map<string, Buffer>;

class Model {
  content: Content = new Map();
  /** What a crash may leave: each content since the last write that was synced. */
  past: Content[] = [new Map<string, Buffer>()];

  change(sync: boolean, change: (content: Content) => void): void {
    change(this.content);
    if (sync) this.past = [];
    this.past.push(new Map(this.content));
  }
}

interface Real {
  store: Store;
  folder: string;
  snapshots: { snapshot: Snapshot; content: Content }[];
  readonly options: StoreOptions;
}

const text = (key: Buffer): string => key.toString('latin1');

class Put implements fc.AsyncCommand<Model, Real> {
  constructor(
    private readonly key: Buffer,
    private readonly value: Buffer,
    private readonly sync: boolean,
  ) {}
  check = (): boolean => true;
  toString = (): string => `put(${text(this.key)}, ${this.value.length} B, sync: ${this.sync})`;
  async run(model: Model, { store }: Real): Promise<void> {
    model.change(this.sync, (content) => content.set(text(this.key), this.value));
    await store.put(this.key, this.value, { sync: this.sync });
  }
}

class Delete implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly key: Buffer) {}
  check = (): boolean => true;
  toString = (): string => `del(${text(this.key)})`;
  async run(model: Model, { store }: Real): Promise<void> {
    model.change(true, (content) => content.delete(text(this.key)));
    await store.del(this.key);
  }
}

class Batch implements fc.AsyncCommand<Model, Real> {
  constructor(
    private readonly operations: readonly BatchOperation[],
    private readonly sync: boolean,
  ) {}
  check = (): boolean => true;
  toString = (): string =>
    `batch(${this.operations.map(({ type, key }) => `${type} ${String(key)}`).join(', ')})`;
  async run(model: Model, { store }: Real): Promise<void> {
    model.change(this.sync, (content) => {
      for (const operation of this.operations) {
        const key = text(operation.key as Buffer);
        if (operation.type === 'put') content.set(key, operation.value as Buffer);
        else content.delete(key);
      }
    });
    await store.batch(this.operations, { sync: this.sync });
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
    expect(await reading).toEqual(this.keys.map((key) => model.content.get(text(key))));
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
    const inside = [...model.content].filter(([key]) => {
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

class Prefix implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly prefix: Buffer) {}
  check = (): boolean => true;
  toString = (): string => `range({ prefix: ${text(this.prefix)} })`;
  async run(model: Model, { store }: Real): Promise<void> {
    const expected = [...model.content.keys()].filter((key) => key.startsWith(text(this.prefix))).sort();
    const keys: string[] = [];
    for await (const key of store.range({ prefix: this.prefix, keysOnly: true })) keys.push(text(key));
    expect(keys).toEqual(expected);
    const numbers = expected.flatMap((key) => [...model.content.get(key)!.subarray(0, 1)]);
    const aggregate = await store.aggregate({ prefix: this.prefix, field: { offset: 0, type: 'u8' } });
    expect(aggregate).toEqual({
      count: expected.length,
      withField: numbers.length,
      sum: numbers.reduce((sum, number) => sum + number, 0),
      min: numbers.length === 0 ? undefined : Math.min(...numbers),
      max: numbers.length === 0 ? undefined : Math.max(...numbers),
    });
  }
}

class TakeSnapshot implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'snapshot()';
  run(model: Model, real: Real): Promise<void> {
    real.snapshots.push({ snapshot: real.store.snapshot(), content: new Map(model.content) });
    return Promise.resolve();
  }
}

/** Snapshots show what was there when they were taken, whatever has become of it. */
class ReadSnapshot implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly keys: readonly Buffer[]) {}
  check = (): boolean => true;
  toString = (): string => `read snapshots at ${this.keys.map(text).join(', ')}`;
  async run(_: Model, { snapshots }: Real): Promise<void> {
    for (const { snapshot, content } of snapshots) {
      expect(await snapshot.getMany(this.keys)).toEqual(this.keys.map((key) => content.get(text(key))));
      expect(await contentOf(snapshot)).toEqual(new Map([...content].sort(([a], [b]) => (a < b ? -1 : 1))));
    }
  }
}

class Load implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly pairs: readonly Pair[]) {}
  check = (): boolean => true;
  toString = (): string => `load(${this.pairs.map(([key]) => text(key)).join(', ')})`;
  async run(model: Model, { store }: Real): Promise<void> {
    model.change(true, (content) => {
      for (const [key, value] of this.pairs) content.set(text(key), value);
    });
    await store.load(this.pairs);
  }
}

class Flush implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'flush()';
  async run(model: Model, { store }: Real): Promise<void> {
    await store.flush();
    model.past = [new Map(model.content)];
    expect(store.stats()).toMatchObject({ memtableEntries: 0 });
    expect(await store.verify()).toMatchObject({ ok: true });
    if (store.stats().tables === 1) expect(store.stats().tableEntries).toBe(model.content.size);
  }
}

class Compact implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'compact()';
  async run(model: Model, { store }: Real): Promise<void> {
    await store.compact();
    model.past = [new Map(model.content)];
    expect(store.stats()).toMatchObject({ memtableEntries: 0, tableEntries: model.content.size });
    expect(store.stats().tables).toBeLessThanOrEqual(1);
  }
}

class Backup implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'backup()';
  async run(model: Model, { store, folder }: Real): Promise<void> {
    await store.backup(`${folder} copy`);
    model.past = [new Map(model.content)];
    const copy = await Store.open(`${folder} copy`, { readOnly: true });
    expect(await contentOf(copy)).toEqual(await contentOf(store));
    await copy.close();
    await rm(`${folder} copy`, { recursive: true });
  }
}

class Reopen implements fc.AsyncCommand<Model, Real> {
  check = (): boolean => true;
  toString = (): string => 'reopen()';
  async run(model: Model, real: Real): Promise<void> {
    await real.store.close();
    model.past = [new Map(model.content)];
    await open(real);
  }
}

/** The process dies: what it had not handed to the kernel is gone. A copy of the files shows what it left. */
class Crash implements fc.AsyncCommand<Model, Real> {
  constructor(private readonly readFirst: boolean) {}
  check = (): boolean => true;
  toString = (): string => 'crash()';
  async run(model: Model, real: Real): Promise<void> {
    const left = `${real.folder}+`;
    await copyAtOnce(real.folder, left);
    await real.store.close({ discardUnflushed: true });
    real.folder = left;
    if (this.readFirst) {
      const reader = await Store.open(left, { readOnly: true });
      expect(model.past).toContainEqual(await contentOf(reader));
      await reader.close();
    }
    await open(real);
    const found = await contentOf(real.store);
    expect(model.past).toContainEqual(found);
    model.content = found;
    model.past = [new Map(found)];
  }
}

async function open(real: Real): Promise<void> {
  const tier = real.options.cacheTier === undefined ? {} : { cacheTier: new MapTier() };
  real.snapshots = [];
  real.store = await Store.open(real.folder, { ...real.options, ...tier });
}

async function contentOf(store: Pick<Store, 'range'>): Promise<Content> {
  const content: Content = new Map();
  for await (const [key, value] of store.range()) content.set(text(key), value);
  return content;
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
    fc.tuple(keyArbitrary, valueArbitrary, fc.boolean()).map((parts) => new Put(...parts)),
    keyArbitrary.map((key) => new Delete(key)),
    fc
      .tuple(fc.array(batchOperation, { maxLength: 8 }), fc.boolean())
      .map(([operations, sync]) => new Batch(operations, sync)),
    fc
      .tuple(fc.array(keyArbitrary, { maxLength: 8 }), fc.boolean())
      .map(([keys, single]) => new Read(keys, single)),
    fc.tuple(keyArbitrary, keyArbitrary, rangeFlags).map(([low, high, flags]) => new Range(low, high, flags)),
    fc.array(fc.tuple(keyArbitrary, valueArbitrary), { maxLength: 30 }).map((pairs) => new Load(pairs)),
    keyArbitrary.map((prefix) => new Prefix(prefix.subarray(0, 2))),
    fc.constant(new TakeSnapshot()),
    fc.array(keyArbitrary, { maxLength: 4 }).map((keys) => new ReadSnapshot(keys)),
    fc.constant(new Flush()),
    fc.constant(new Compact()),
    fc.constant(new Backup()),
    fc.constant(new Reopen()),
    fc.boolean().map((readFirst) => new Crash(readFirst)),
  ],
  { size: isLong ? 'large' : 'medium', maxCommands: isLong ? 100 : 40 },
);

const configurations: { readonly name: string; readonly options: StoreOptions }[] = [
  { name: 'pread, no caches', options: { engine: 'pread', cacheBytes: 0, direct: false } },
  { name: 'pread past the page cache, tiny memtable', options: { engine: 'pread', memtableBytes: 500 } },
  { name: 'io-uring, no caches', options: { engine: 'io-uring', cacheBytes: 0, memtableBytes: 2000 } },
  {
    name: 'page-cache-bpf, a tier',
    options: { engine: 'page-cache-bpf', cacheBytes: 4000, cacheTier: new MapTier() },
  },
  { name: 'auto, a tier', options: { engine: 'auto', cacheTier: new MapTier() } },
];

describe('Store', () => {
  it.for(configurations)('is a sorted map ($name)', { timeout }, async ({ name, options }, context) => {
    const refused = support.find(({ engine, available }) => engine === options.engine && !available);
    if (refused !== undefined) skipWithout(context, refused.engine, refused.reason);
    let steps = 0;
    await fc.assert(
      fc.asyncProperty(commands, async (sequence) => {
        steps += [...sequence].length;
        await inFolder(async (folder) => {
          const real = { folder: join(folder, 'store'), options } as Real;
          await open(real);
          try {
            await fc.asyncModelRun(() => ({ model: new Model(), real }), sequence);
          } finally {
            await real.store.close();
          }
        });
      }),
      { numRuns: sequences },
    );
    console.log(`${name}: ${sequences} sequences, ${steps} steps`);
  });
});
