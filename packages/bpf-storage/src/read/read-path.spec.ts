/**
 * The store's caches under every order of events: a fetch in flight while its key is written must leave no old value
 * behind anywhere. Tier and table are simulated, and the scheduler of fast-check decides whose step comes next.
 */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { notInMemory, StoreIndex, TableFile } from '@exopool/native/internal';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { ReadPath, type ReadIndex } from './read-path.js';
import { toRowKey, type Bytes } from '../format/row-key.js';
import { IndexedTier, MapTier, type Step } from '../testing/map-tier.js';
import { writePairs } from '../testing/table.js';
import { TierGate } from './tier-gate.js';

interface Operation {
  readonly type: 'put' | 'get';
  readonly key: string;
  /** The memtable goes into the table right after. */
  readonly flush: boolean;
  /** Steps of calls under way that happen before the next operation begins. */
  readonly steps: number;
}

const operation: fc.Arbitrary<Operation> = fc.record({
  type: fc.constantFrom('put', 'get'),
  key: fc.constantFrom('a', 'a', 'a', 'b'),
  flush: fc.boolean(),
  steps: fc.nat(6),
});

type TierKind = 'map' | 'indexed' | 'none';

const folder = await mkdtemp(join(tmpdir(), 'exopool-read-path-'));
/** Its bounds admit every key, so what is not cached is not known without a read. */
const wide = TableFile.open(
  await writePairs(folder, [
    [Buffer.of(0), Buffer.alloc(0)],
    [Buffer.of(255), Buffer.alloc(0)],
  ]),
);
afterAll(async () => {
  wide.close();
  await rm(folder, { recursive: true, force: true });
});

type Lookup = (keys: readonly string[]) => Promise<(Buffer | undefined)[]>;

/** An index with the real cache and epochs, but with a map for a memtable, and `lookup` for tables. */
function indexOver(lookup: Lookup, cacheBytes: number, memtable = new Map<string, Buffer>()): ReadIndex {
  const index = new StoreIndex({ cacheBytes });
  index.setTables([{ file: wide, smallestKey: Buffer.of(0), largestKey: Buffer.of(255) }]);
  const counts = { foundInTable: 0, inNoTable: 0 };
  const lookUpMany = async (keys: readonly Bytes[]): Promise<(Buffer | undefined)[]> => {
    const values = await lookup(keys.map(String));
    for (const value of values) counts[value === undefined ? 'inNoTable' : 'foundInTable'] += 1;
    return values;
  };
  const find: ReadIndex['find'] = (key) => memtable.get(String(key)) ?? index.find(key);
  const get = async (key: Bytes): Promise<Buffer | undefined> => {
    const found = find(key);
    if (found !== notInMemory) return found;
    const epoch = index.epoch(key);
    const [value] = await lookUpMany([key]);
    index.admit(key, epoch, value);
    return value;
  };
  return {
    find,
    get,
    getSync: (key) => index.getSync(key),
    getMany: (keys) => Promise.all(keys.map(get)),
    lookUpMany,
    epoch: (key) => index.epoch(key),
    admit: (key, epoch, value) => index.admit(key, epoch, value),
    written: (keys) => index.written(keys),
    writtenAll: () => index.writtenAll(),
    stats: () => ({ ...index.stats(), ...counts }),
  };
}

/** Memtable, table, row cache and tier of a store, with each step of tier and table scheduled. */
class Simulation {
  readonly memtable = new Map<string, Buffer>();
  readonly table = new Map<string, Buffer>();
  readonly index: ReadIndex;
  readonly tier: MapTier;
  readonly gate: TierGate;
  readonly reads: ReadPath;
  /** Per key: the last write, and the last one that was acknowledged. */
  readonly written = new Map<string, number>();
  readonly acknowledged = new Map<string, number>();

  constructor(step: Step, kind: TierKind = 'map', cacheBytes = 1_000_000) {
    this.tier = kind === 'indexed' ? new IndexedTier(step) : new MapTier(step);
    this.gate = new TierGate(kind === 'none' ? undefined : this.tier);
    const lookup: Lookup = async (keys) => {
      await step();
      const values = keys.map((wanted) => this.table.get(wanted));
      await step();
      return values;
    };
    this.index = indexOver(lookup, cacheBytes, this.memtable);
    this.reads = new ReadPath(this.index, this.gate);
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
    const value = await this.reads.get(name);
    expect(Number(value ?? 0)).toBeGreaterThanOrEqual(atLeast);
  }

  flush(): void {
    for (const [name, value] of this.memtable) this.table.set(name, value);
    this.memtable.clear();
  }

  async run({ type, key, flush }: Operation): Promise<void> {
    const running = type === 'put' ? this.put(key) : this.get(key);
    if (flush) this.flush();
    await running;
  }

  /** What every cache holds now is the last value, or nothing. */
  expectCoherent(): void {
    this.flush();
    for (const name of ['a', 'b']) {
      const last = this.table.get(name);
      const row = this.index.find(name);
      if (row !== notInMemory) expect(row).toEqual(last);
      const remote = this.tier.map.get(name);
      if (remote !== undefined) expect(remote).toEqual(last);
    }
  }
}

function readsOver(lookup: Lookup, gate: TierGate, cacheBytes = 1_000_000): ReadPath {
  return new ReadPath(indexOver(lookup, cacheBytes), gate);
}

describe('ReadPath', () => {
  it('leaves no old value in any cache, whatever the order of events', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.scheduler(),
        fc.array(operation, { maxLength: 30 }),
        fc.constantFrom<TierKind>('map', 'indexed', 'none'),
        fc.constantFrom(0, 1_000_000),
        async (scheduler, operations, tier, cacheBytes) => {
          const step: Step = () => scheduler.schedule(Promise.resolve());
          const simulation = new Simulation(step, tier, cacheBytes);
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
    const lookup: Lookup = (keys) => {
      lookups += 1;
      return Promise.resolve(keys.map((wanted) => simulation.table.get(wanted)));
    };
    const reads = readsOver(lookup, simulation.gate);
    const [first, second, missing] = await Promise.all(['a', 'a', 'b'].map((name) => reads.get(name)));
    expect([lookups, simulation.tier.calls.getMany]).toEqual([1, 1]);
    expect(missing).toBeUndefined();
    first!.fill('x');
    second!.fill('y');
    expect(await reads.get('a')).toEqual(Buffer.from('1'));
    expect(reads.readsByTier).toEqual({ memtable: 0, memory: 1, remote: 0, store: 1, missing: 1 });
  });

  it.each(['get', 'getMany'] as const)('asks memory and the tier once for a key of %s', async (method) => {
    const asked: string[] = [];
    class CountingTier extends IndexedTier {
      override mayHold(key: Buffer): boolean {
        asked.push(`mayHold ${key.toString()}`);
        return super.mayHold(key);
      }
    }
    const tier = new CountingTier();
    tier.map.set('held', Buffer.from('1'));
    const index = indexOver((keys) => Promise.resolve(keys.map(() => Buffer.from('2'))), 0);
    const find: ReadIndex['find'] = (key) => {
      asked.push(`find ${String(key)}`);
      return index.find(key);
    };
    const reads = new ReadPath({ ...index, find }, new TierGate(tier));
    const keys = ['held', 'other'];
    const values = method === 'get' ? Promise.all(keys.map((key) => reads.get(key))) : reads.getMany(keys);
    expect(await values).toEqual([Buffer.from('1'), Buffer.from('2')]);
    expect(asked.toSorted()).toEqual(['find held', 'find other', 'mayHold held', 'mayHold other']);
  });

  it('answers a key that a batch repeats with values of its own', async () => {
    const lookup: Lookup = (keys) => Promise.resolve(keys.map((key) => Buffer.from(key)));
    const reads = readsOver(lookup, new TierGate(new MapTier()));
    const [first, second] = await reads.getMany(['a', 'a']);
    first!.fill('x');
    expect(second).toEqual(Buffer.from('a'));
  });

  it('does not let a key that the tier lacks wait for one that it holds', async () => {
    const answers: (() => void)[] = [];
    const tier = new IndexedTier(() => new Promise((resolve) => answers.push(resolve)));
    tier.map.set('held', Buffer.from('1'));
    const reads = readsOver(() => Promise.resolve([Buffer.from('2')]), new TierGate(tier), 0);
    const held = reads.get('held');
    expect(await reads.get('other')).toEqual(Buffer.from('2'));
    const both = reads.getMany(['third', 'held']);
    const answering = setInterval(() => answers.shift()?.(), 1);
    expect(await held).toEqual(Buffer.from('1'));
    expect(await both).toEqual([Buffer.from('2'), Buffer.from('1')]);
    clearInterval(answering);
  });

  it('fails only the reads that need a damaged page', async () => {
    const lookup: Lookup = (keys) =>
      keys.includes('bad')
        ? Promise.reject(new Error('damaged'))
        : Promise.resolve(keys.map(() => Buffer.from('1')));
    const reads = readsOver(lookup, new TierGate(new MapTier()), 0);
    const results = await Promise.allSettled(['a', 'bad', 'c'].map((name) => reads.get(name)));
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('without a tier returns each key when it is found', async () => {
    const slow = new Promise<Buffer[]>(() => undefined);
    const lookup: Lookup = ([wanted]) => (wanted === 'slow' ? slow : Promise.resolve([Buffer.from('1')]));
    const reads = readsOver(lookup, new TierGate(undefined));
    void reads.get('slow');
    expect(await reads.get('quick')).toEqual(Buffer.from('1'));
    expect(await reads.get('quick')).toEqual(Buffer.from('1'));
    expect(reads.readsByTier).toEqual({ memtable: 0, memory: 1, remote: 0, store: 1, missing: 0 });
  });
});
