/**
 * The store's caches under every order of events: a fetch in flight while its key is written must leave no old value
 * behind anywhere. Tier and table are simulated, and the scheduler of fast-check decides whose step comes next.
 */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ReadPath } from './read-path.js';
import { absent, RowCache } from './row-cache.js';
import { toRowKey } from './row-key.js';
import { IndexedTier, MapTier, type Step } from './testing/map-tier.js';
import { TierGate } from './tier-gate.js';

interface Operation {
  readonly type: 'put' | 'get';
  readonly key: string;
  /** The memtable goes into the table right after. */
  readonly flush: boolean;
  /** The row cache has lost everything before. */
  readonly forget: boolean;
  /** Steps of calls under way that happen before the next operation begins. */
  readonly steps: number;
}

const operation: fc.Arbitrary<Operation> = fc.record({
  type: fc.constantFrom('put', 'get'),
  key: fc.constantFrom('a', 'a', 'a', 'b'),
  flush: fc.boolean(),
  forget: fc.boolean(),
  steps: fc.nat(6),
});

type TierKind = 'map' | 'indexed' | 'none';

/** Memtable, table, row cache and tier of a store, with each step of tier and table scheduled. */
class Simulation {
  readonly memtable = new Map<string, Buffer>();
  readonly table = new Map<string, Buffer>();
  readonly cache = new RowCache(1_000_000);
  readonly tier: MapTier;
  readonly gate: TierGate;
  readonly reads: ReadPath;
  /** Per key: the last write, and the last one that was acknowledged. */
  readonly written = new Map<string, number>();
  readonly acknowledged = new Map<string, number>();

  constructor(step: Step, kind: TierKind = 'map') {
    this.tier = kind === 'indexed' ? new IndexedTier(step) : new MapTier(step);
    this.gate = new TierGate(kind === 'none' ? undefined : this.tier);
    const sources = {
      unflushed: (wanted: Buffer) => this.memtable.get(wanted.toString()),
      lookupOne: async (wanted: Buffer) => {
        await step();
        const value = this.table.get(wanted.toString());
        await step();
        return value;
      },
      lookup: async (keys: readonly Buffer[]) => {
        await step();
        const values = keys.map((wanted) => this.table.get(wanted.toString()));
        await step();
        return values;
      },
    };
    this.reads = new ReadPath(sources, this.cache, this.gate);
  }

  async put(name: string): Promise<void> {
    const version = (this.written.get(name) ?? 0) + 1;
    this.written.set(name, version);
    this.memtable.set(name, Buffer.from(String(version)));
    await this.reads.written([toRowKey(name)]);
    this.acknowledged.set(name, Math.max(version, this.acknowledged.get(name) ?? 0));
  }

  /** A read may return a write that overlaps it, but nothing older than what was acknowledged before it began. */
  async get(name: string): Promise<void> {
    const atLeast = this.acknowledged.get(name) ?? 0;
    const value = await this.reads.get(toRowKey(name));
    expect(Number(value ?? 0)).toBeGreaterThanOrEqual(atLeast);
  }

  flush(): void {
    for (const [name, value] of this.memtable) this.table.set(name, value);
    this.memtable.clear();
  }

  async run({ type, key, flush, forget }: Operation): Promise<void> {
    if (forget) this.cache.clear();
    const running = type === 'put' ? this.put(key) : this.get(key);
    if (flush) this.flush();
    await running;
  }

  /** What every cache holds now is the last value, or nothing. */
  expectCoherent(): void {
    this.flush();
    for (const name of ['a', 'b']) {
      const last = this.table.get(name);
      const row = this.cache.get(toRowKey(name));
      if (row !== undefined) expect(row === absent ? undefined : row).toEqual(last);
      const remote = this.tier.map.get(name);
      if (remote !== undefined) expect(remote).toEqual(last);
    }
  }
}

const neverAsked = (): Promise<never> => Promise.reject(new Error('nobody should have asked'));

describe('ReadPath', () => {
  it('leaves no old value in any cache, whatever the order of events', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(operation, { maxLength: 30 }),
        fc.constantFrom<TierKind>('map', 'indexed', 'none'),
        async (scheduler, operations, tier) => {
          const simulation = new Simulation(() => scheduler.schedule(Promise.resolve()), tier);
          const running: Promise<void>[] = [];
          for (const next of operations) {
            running.push(simulation.run(next));
            await Promise.resolve();
            for (let step = 0; step < next.steps && scheduler.count() > 0; step += 1)
              await scheduler.waitNext(1);
          }
          await scheduler.waitFor(Promise.all(running));
          await scheduler.waitFor(simulation.gate.settled());
          simulation.expectCoherent();
        },
      ),
      { numRuns: 4000 },
    );
  });

  it('asks the tier and the table once for the calls of one turn, and copies what it returns', async () => {
    const simulation = new Simulation(() => Promise.resolve());
    simulation.table.set('a', Buffer.from('1'));
    let lookups = 0;
    const sources = {
      unflushed: () => undefined,
      lookupOne: neverAsked,
      lookup: (keys: readonly Buffer[]) => {
        lookups += 1;
        return Promise.resolve(keys.map((wanted) => simulation.table.get(wanted.toString())));
      },
    };
    const reads = new ReadPath(sources, simulation.cache, simulation.gate);
    const [first, second, missing] = await Promise.all(
      ['a', 'a', 'b'].map((name) => reads.get(toRowKey(name))),
    );
    expect([lookups, simulation.tier.calls.getMany]).toEqual([1, 1]);
    expect(missing).toBeUndefined();
    first!.fill('x');
    second!.fill('y');
    expect(await reads.get(toRowKey('a'))).toEqual(Buffer.from('1'));
    expect(reads.readsByTier).toEqual({ memtable: 0, memory: 1, remote: 0, store: 1, missing: 1 });
  });

  it('does not let a key that the tier lacks wait for one that it holds', async () => {
    const answers: (() => void)[] = [];
    const tier = new IndexedTier(() => new Promise((resolve) => answers.push(resolve)));
    tier.map.set('held', Buffer.from('1'));
    const lookup = () => Promise.resolve([Buffer.from('2')]);
    const sources = { unflushed: () => undefined, lookupOne: neverAsked, lookup };
    const reads = new ReadPath(sources, new RowCache(0), new TierGate(tier));
    const held = reads.get(toRowKey('held'));
    expect(await reads.get(toRowKey('other'))).toEqual(Buffer.from('2'));
    const both = reads.getMany([toRowKey('third'), toRowKey('held')]);
    const answering = setInterval(() => answers.shift()?.(), 1);
    expect(await held).toEqual(Buffer.from('1'));
    expect(await both).toEqual([Buffer.from('2'), Buffer.from('1')]);
    clearInterval(answering);
  });

  it('fails only the reads that need a damaged page', async () => {
    const sources = {
      unflushed: () => undefined,
      lookupOne: neverAsked,
      lookup: (keys: readonly Buffer[]) =>
        keys.some((wanted) => wanted.equals(Buffer.from('bad')))
          ? Promise.reject(new Error('damaged'))
          : Promise.resolve(keys.map(() => Buffer.from('1'))),
    };
    const reads = new ReadPath(sources, new RowCache(0), new TierGate(new MapTier()));
    const results = await Promise.allSettled(['a', 'bad', 'c'].map((name) => reads.get(toRowKey(name))));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('without a tier returns each key when it is found', async () => {
    const slow = new Promise<Buffer>(() => undefined);
    const lookupOne = (wanted: Buffer) =>
      wanted.toString() === 'slow' ? slow : Promise.resolve(Buffer.from('1'));
    const sources = { unflushed: () => undefined, lookupOne, lookup: neverAsked };
    const reads = new ReadPath(sources, new RowCache(10_000), new TierGate(undefined));
    void reads.get(toRowKey('slow'));
    expect(await reads.get(toRowKey('quick'))).toEqual(Buffer.from('1'));
    expect(await reads.get(toRowKey('quick'))).toEqual(Buffer.from('1'));
    expect(reads.readsByTier).toEqual({ memtable: 0, memory: 1, remote: 0, store: 1, missing: 0 });
  });
});
