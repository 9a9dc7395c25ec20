import { expect, it } from 'vitest';
import type { CacheTier } from '@exopool/shared';
import { TierProbe } from './tier-probe.js';

const key = (text: string): Buffer => Buffer.from(text);

function fakeTier(): { tier: CacheTier; entries: Map<string, Buffer> } {
  const entries = new Map<string, Buffer>();
  const none = {
    hits: 0,
    misses: 0,
    puts: 0,
    rejected: 0,
    evictions: 0,
    tampered: 0,
    entries: 0,
    bytes: 0,
    capacityBytes: 0,
  };
  const tier: CacheTier = {
    getMany: (keys) => Promise.resolve(keys.map((name) => entries.get(name.toString()))),
    putMany: (added) => {
      for (const [name, value] of added) entries.set(name.toString(), value);
      return Promise.resolve();
    },
    deleteMany: (keys) => {
      for (const name of keys) entries.delete(name.toString());
      return Promise.resolve();
    },
    stats: () => none,
  };
  return { tier, entries };
}

it('tells the tier of a read by what reached it', async () => {
  const { tier } = fakeTier();
  const probe = new TierProbe(tier);
  probe.enabled = true;
  await probe.putMany([[key('a'), key('1')]]);
  expect(await probe.getMany([key('a'), key('b')])).toEqual([key('1'), undefined]);
  expect([probe.takeTier(key('a')), probe.takeTier(key('b')), probe.takeTier(key('c'))]).toEqual([
    'remote',
    'store',
    'memory',
  ]);
  expect(probe.takeTier(key('a'))).toBe('memory');
});

it('is an empty tier while it is off, except for deletions', async () => {
  const { tier, entries } = fakeTier();
  entries.set('a', key('1'));
  const probe = new TierProbe(tier);
  expect(await probe.getMany([key('a')])).toEqual([undefined]);
  await probe.putMany([[key('b'), key('2')]]);
  expect(entries.has('b')).toBe(false);
  await probe.deleteMany([key('a')]);
  expect(entries.has('a')).toBe(false);
});
