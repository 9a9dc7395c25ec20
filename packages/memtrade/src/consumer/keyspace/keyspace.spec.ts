import fc from 'fast-check';
import { afterEach, describe, expect, it } from 'vitest';
import { LossyTier } from '../../testing/lossy-tier.js';
import { Keyspace, type KeyspaceOptions, type Later } from './keyspace.js';
import { partBytes } from './value-store.js';

const open: Keyspace[] = [];
afterEach(() => open.splice(0).forEach((each) => each.close()));

function keyspace(tier: LossyTier, options?: KeyspaceOptions): Keyspace {
  const made = new Keyspace(tier, options);
  open.push(made);
  return made;
}

const bytes = (text: string): Buffer => Buffer.from(text);
const read = async (value: Later<Buffer | undefined>): Promise<string | undefined> =>
  (await value)?.toString();
const idle = async (space: Keyspace): Promise<void> => {
  while (space.loadBytes > 0) await new Promise((resolve) => setImmediate(resolve));
};

describe('keys', () => {
  it('live as long as they are told', async () => {
    let now = 1000;
    const space = keyspace(new LossyTier(), { now: () => now });
    space.set('a', bytes('1'), 2000);
    space.set('b', bytes('2'));
    expect([space.expiryOf('a'), space.expiryOf('b'), space.expiryOf('c')]).toEqual([2000, 0, undefined]);
    expect(space.expiring).toBe(1);
    space.set('a', bytes('3'), 'keep');
    now = 1999;
    expect(await read(space.get('a'))).toBe('3');
    now = 2000;
    expect(space.has('a')).toBe(false);
    expect(space.expire('b', 1500)).toBe(true);
    expect([space.size, space.expiring, space.counts.expired]).toEqual([0, 0, 1]);
  });

  it('that the tier lost are gone, also for those who only ask whether they exist', async () => {
    const tier = new LossyTier();
    const space = keyspace(tier);
    for (const key of ['a', 'b', 'c']) space.set(key, bytes(key));
    await idle(space);
    tier.loseAll();
    expect(await read(space.get('a'))).toBeUndefined();
    expect(space.has('b')).toBe(false);
    expect(space.size).toBe(1);
    expect(space.counts.lost).toBe(2);
  });

  it('that nobody asks for are dropped some time after the tier lost them', async () => {
    const tier = new LossyTier();
    const space = keyspace(tier);
    for (let count = 0; count < 5000; count++) {
      space.set(`key ${count}`, bytes('x'));
      if (count % 100 === 99) await idle(space);
      if (count % 100 === 99) tier.loseAll();
    }
    expect(space.size).toBeLessThan(400);
  });

  it('push out another when there are too many', () => {
    const space = keyspace(new LossyTier(), { keysMax: 10 });
    for (let count = 0; count < 100; count++) space.set(`key ${count}`, bytes('x'));
    expect(space.size).toBe(10);
    expect(space.has('key 99')).toBe(true);
  });

  it('that stay are found by a walk, whatever else comes and goes', () => {
    const change = fc.record({ key: fc.nat({ max: 30 }), isSet: fc.boolean() });
    fc.assert(
      fc.property(fc.array(fc.array(change, { maxLength: 6 }), { maxLength: 30 }), (rounds) => {
        const space = keyspace(new LossyTier());
        const touched = new Set(rounds.flat().map(({ key }) => `${key}`));
        for (let key = 0; key <= 30; key++) space.set(`${key}`, bytes('x'));
        const found = new Set<string>();
        let cursor = 0;
        let turn = 0;
        do {
          const step = space.scan(cursor, 3);
          cursor = step.cursor;
          for (const key of step.keys) found.add(key);
          for (const { key, isSet } of rounds[turn++] ?? []) {
            if (isSet) space.set(`${key}`, bytes('y'));
            else space.delete(`${key}`);
          }
        } while (cursor !== 0);
        for (let key = 0; key <= 30; key++) expect(touched.has(`${key}`) || found.has(`${key}`)).toBe(true);
      }),
    );
  });
});

describe('values', () => {
  it.each([0, 1, partBytes, partBytes + 1, 3 * partBytes, 1_000_000])(
    'of %i bytes come back',
    async (length) => {
      const space = keyspace(new LossyTier());
      const value = Buffer.alloc(length, 'abc');
      space.set('k', value);
      await idle(space);
      expect((await space.get('k'))?.equals(value)).toBe(true);
      expect(await space.lengthOf('k')).toBe(length);
    },
  );

  it('leave nothing behind in the tier', async () => {
    const tier = new LossyTier();
    const space = keyspace(tier);
    for (let round = 0; round < 20; round++) {
      space.set('a', Buffer.alloc(200_000, round));
      void space.update('b', (old) => ({ value: Buffer.concat([old ?? bytes(''), bytes('x')]), result: 0 }));
      if (round % 3 === 0) await idle(space);
      space.set('c', bytes('x'));
    }
    await idle(space);
    expect(await read(space.get('b'))).toBe('x'.repeat(20));
    space.clear();
    await idle(space);
    await new Promise((resolve) => setImmediate(resolve));
    expect(tier.size).toBe(0);
  });
});

/** A model: the effect of the calls on a Map, one after the other. */
describe('whatever order the tier answers in', () => {
  const command = fc.record({
    kind: fc.constantFrom(
      'set',
      'set',
      'get',
      'get',
      'append',
      'append',
      'fail',
      'delete',
      'turn',
      'turn',
      'lose',
    ),
    key: fc.constantFrom('a', 'b', 'c'),
  });

  it.each([false, true])('each call sees what those before it did (memory is lost: %s)', async (loses) => {
    await fc.assert(
      fc.asyncProperty(fc.scheduler(), fc.array(command, { maxLength: 80 }), async (scheduler, commands) => {
        const tier = new LossyTier((value) => scheduler.schedule(Promise.resolve(value)));
        const space = keyspace(tier);
        const model = new Map<string, string>();
        const checks: Promise<void>[] = [];
        const check = (got: Later<string | undefined>, expected: string | undefined): void => {
          checks.push(
            Promise.resolve(got).then((value) => {
              if (!loses) expect(value).toBe(expected);
              // A lost value may be a miss. An append to it may start from nothing.
              else if (value !== undefined) expect(expected ?? '').toMatch(new RegExp(`${value}$`));
            }),
          );
        };
        for (const [index, { kind, key }] of commands.entries()) {
          const text = `${index};`;
          if (kind === 'set') {
            space.set(key, bytes(text));
            model.set(key, text);
          } else if (kind === 'get') {
            check(read(space.get(key)), model.get(key));
          } else if (kind === 'append') {
            const appended = `${model.get(key) ?? ''}${text}`;
            model.set(key, appended);
            const result = space.update(key, (old) => {
              const value = `${old?.toString() ?? ''}${text}`;
              return { value: bytes(value), result: value };
            });
            check(result, appended);
          } else if (kind === 'fail') {
            const result = space.update(key, (old) => ({ value: undefined, result: old?.toString() }));
            check(result, model.get(key));
          } else if (kind === 'delete') {
            space.delete(key);
            model.delete(key);
          } else if (kind === 'lose' && loses) {
            tier.loseAll();
          } else {
            await new Promise((resolve) => setImmediate(resolve));
            if (scheduler.count() > 0 && index % 2 === 0) await scheduler.waitNext(1);
          }
        }
        const all = Promise.all(checks);
        const progress = { isDone: false };
        void all.finally(() => (progress.isDone = true)).catch(() => undefined);
        for (let turn = 0; turn < 1000 && !progress.isDone; turn++) {
          await new Promise((resolve) => setImmediate(resolve));
          await scheduler.waitIdle();
        }
        await all;
        if (!loses) expect(space.size).toBe(model.size);
        space.close();
      }),
      { numRuns: 200 },
    );
  });
});
