/**
 * What a producer can do to sealed values, 10⁵ times and more: the bytes are changed through a second session with the same
 * lease. Answers that are no answers at all are slab-hostile-producer.spec.ts's.
 */
import { randomInt } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { cacheOver, key } from '../testing/sealed-cache.js';
import type { SealMode } from './sealed-cache.js';

const slabBytes = 1024 * 1024;
/** What the log makes of one slab of 1 MiB. */
const segmentBytes = 16 * 1024;
const valueBytes = 64;
/** 10⁵ cases in all, 10⁶ in the long form. */
const rounds = process.env['EXOPOOL_TEST_ALL'] === '1' ? 35 : 4;
/** Stored bytes of a value of 64 bytes with its check word of 8. */
const modes: readonly (readonly [SealMode, number])[] = [
  ['integrity', 88],
  ['aes-128-gcm', 88],
  ['paper', 112],
];

type Lie = (segment: Buffer, before: Buffer, stored: number) => void;

const lies: Readonly<Record<string, Lie>> = {
  'a flipped bit': (segment, _, stored) => {
    for (let at = 0; at + stored <= segment.length; at += stored)
      segment[at + randomInt(stored)]! ^= 1 << randomInt(8);
  },
  'an older value of the same place': (segment, before) => void before.copy(segment),
  'the neighbour instead': (segment, _, stored) => {
    const used = segment.length - (segment.length % stored);
    Buffer.concat([segment.subarray(stored, used), segment.subarray(0, stored)]).copy(segment);
  },
  'zeros behind a beginning': (segment, _, stored) => {
    for (let at = 0; at + stored <= segment.length; at += stored)
      segment.fill(0, at + randomInt(stored - 1), at + stored);
  },
};

describe.each(modes)('what a producer does to values sealed %s', (mode, stored) => {
  it('is a miss and counted, never another value', { timeout: 1_200_000 }, async () => {
    const { cache, leased, ticket } = await cacheOver(1, slabBytes, mode, {
      tamperedMax: Number.POSITIVE_INFINITY,
    });
    const producer = await leased.connect(ticket);
    const whole = [{ slab: 0, offset: 0, length: slabBytes }];
    const count = (slabBytes / segmentBytes) * Math.floor(segmentBytes / stored);
    const names = (round: number): Buffer[] =>
      Array.from({ length: count }, (_, index) => key(`${round}.${index}`));
    const valueOf = (round: number, index: number): Buffer => Buffer.alloc(valueBytes, `${round}.${index}.`);
    let before = Buffer.alloc(slabBytes);
    let cases = 0;
    for (let round = 0; round < rounds; round++) {
      const keys = names(round);
      await cache.putMany(keys.map((each, index) => [each, valueOf(round, index)] as const));
      const bytes = (await producer.readMany(whole))[0]!;
      const honest = Buffer.from(bytes);
      for (let segment = 0; segment < slabBytes / segmentBytes; segment++) {
        const range = [segment * segmentBytes, (segment + 1) * segmentBytes] as const;
        const lie = Object.values(lies)[segment % 4]!;
        lie(bytes.subarray(...range), before.subarray(...range), stored);
      }
      await producer.writeMany([{ slab: 0, offset: 0, data: bytes }]);
      const { entries, tampered } = cache.stats();
      // Old and new values alike: what is left of earlier rounds was changed too.
      const oldest = Math.max(0, round - 3);
      const asked = Array.from({ length: round + 1 - oldest }, (_, each) => names(oldest + each)).flat();
      const got = await cache.getMany(asked);
      got.forEach((value, index) => {
        if (value !== undefined)
          expect(value).toEqual(valueOf(oldest + Math.floor(index / count), index % count));
      });
      const wrong = cache.stats().tampered - tampered;
      cases += wrong;
      // Zeros may be what was there, and only there.
      expect(wrong).toBeGreaterThan(entries * 0.97);
      before = honest;
    }
    expect(cases).toBeGreaterThan(rounds * 8_000);
  });
});

it('counts what is found changed as it is moved, and drops who did it', async () => {
  const slabs = 4;
  // Three fill a segment of 4 KiB, so most of the segments are in use, and each slab has some.
  const values = 180;
  const smallSlabBytes = 64 * 1024;
  const tamperedMax = 60;
  const { cache, leased, session, ticket } = await cacheOver(slabs, smallSlabBytes, 'aes-128-gcm', {
    tamperedMax,
  });
  const liars: unknown[] = [];
  cache.onLies((liar) => liars.push(liar));
  const keys = Array.from({ length: values }, (_, index) => key(index));
  await cache.putMany(keys.map((each) => [each, Buffer.alloc(1000, 1)] as const));
  expect((await cache.getMany(keys)).filter((value) => value !== undefined)).toHaveLength(values);
  const producer = await leased.connect(ticket);
  const data = Buffer.alloc(smallSlabBytes, 7);
  await producer.writeMany(Array.from({ length: slabs }, (_, slab) => ({ slab, offset: 0, data })));
  // All but one, so that the lease goes on.
  expect(leased.server.ask(ticket.subarray(8, 24), slabs - 1, 60_000)).toBe(true);
  await expect.poll(() => cache.stats().tampered).toBeGreaterThanOrEqual(tamperedMax);
  await expect.poll(() => liars).toEqual([session]);
  expect(cache.stats()).toMatchObject({ capacityBytes: 0, entries: 0, moved: 0 });
});
