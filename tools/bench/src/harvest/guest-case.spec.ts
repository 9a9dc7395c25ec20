import { describe, expect, it } from 'vitest';
import {
  guestArgument,
  guestCases,
  guestName,
  guestRatios,
  guestRows,
  isFigures,
  parseGuestFigures,
  type GuestFigures,
} from './guest-case.js';
import { planOf } from './plan.js';
import { checksOf } from './ratios.js';
import { harvestRound, loadWindow } from '../testing/harvest-rounds.js';
import type { HarvestRound } from './rounds.js';

const round = (storedBytes: number, diskBytes: number): HarvestRound =>
  harvestRound({
    harvested: loadWindow(990, 125),
    calmP99Us: { undisturbed: 100, harvested: 125 },
    harvestedBytes: 300,
    swappedBytes: 350,
    storedBytes,
    diskBytes,
    siloHitRate: 0.75,
  });
const [written, plain] = [guestCases[0]!, guestCases[1]!];
const figures: GuestFigures = { workload: 'reads', rounds: [round(400, 100), round(600, 150)] };

describe('what a guest prints', () => {
  const line = JSON.stringify({ workload: 'reads', rounds: [{ swappedBytes: 1 }] });

  it('has its figures in the last line of JSON, whatever is said around it', () => {
    const printed = `redis: round 1\n{"older":1}\n${line}\nover\n`;
    expect(parseGuestFigures(printed)).toEqual({ workload: 'reads', rounds: [{ swappedBytes: 1 }] });
    expect(printed.split('\n').filter(isFigures)).toHaveLength(2);
  });

  it.each([
    '',
    'redis: round 1\n',
    '{}\n',
    '{"workload":"reads"}\n',
    '{"workload":"reads","rounds":[]}\n',
    '{"workload":',
  ])('is refused without: %j', (printed) => {
    expect(() => parseGuestFigures(printed)).toThrow(/without figures/);
  });
});

describe('figures of a guest', () => {
  it('have ratios of their own names, and no targets of the host', () => {
    const ratios = guestRatios(written, figures);
    expect(ratios).toEqual({
      guest_redis_harvested_share: 0.3,
      guest_redis_throughput_kept: 0.99,
      guest_redis_p99_kept: 0.8,
      guest_redis_disk_share: 0.25,
    });
    expect(checksOf(ratios)).toEqual({});
    expect(Object.keys(guestRatios(plain, figures))).toEqual([
      'guest_redis_zram_harvested_share',
      'guest_redis_zram_throughput_kept',
      'guest_redis_zram_p99_kept',
    ]);
  });

  it('have rows that say where they are from, and what went to the disk', () => {
    const [undisturbed, harvested] = guestRows(written, figures);
    expect(undisturbed).toMatchObject({
      name: 'redis, 6.12 guest, zram with writeback',
      contender: 'undisturbed',
      engine: expect.stringContaining('one CPU') as string,
    });
    expect(harvested).toMatchObject({ swapped_bytes: 350, silo_disk_bytes: 125, silo_hit_share: 0.75 });
  });

  it('have names and prefixes that differ', () => {
    expect(new Set(guestCases.map(guestName)).size).toBe(guestCases.length);
    expect(new Set(guestCases.map(({ prefix }) => prefix)).size).toBe(guestCases.length);
  });
});

it.each([true, false])('harvests until the silo has moved idle pages (quick: %s)', (quick) => {
  const plan = planOf({ quick, rounds: undefined, windowSeconds: undefined });
  for (const one of guestCases) {
    const argument = guestArgument(one, plan, { quick });
    expect(argument.plan.harvestSeconds).toBeGreaterThan(one.experiment === 'burst' ? 10 : 20);
    expect(argument.plan.burst.media).toContain(one.silo);
  }
});

it('has the rows of a burst, too, and no ratios of it', () => {
  const medium = 'zram with writeback';
  const point = {
    medium,
    burst: loadWindow(1000, 100),
    prefetchedBytes: 0,
    swappedBytes: 7,
    diskBytes: 5,
  } as const;
  const burst = {
    undisturbed: loadWindow(1000, 90),
    rounds: [
      { ...point, isPrefetching: true, backMs: 500 },
      { ...point, isPrefetching: false, backMs: undefined },
    ],
  };
  const one = guestCases.find(({ experiment }) => experiment === 'burst')!;
  const rows = guestRows(one, { workload: 'reads', burst });
  expect(rows.map(({ contender, p50_ms, failed }) => [contender, p50_ms ?? failed])).toEqual([
    ['nothing taken', undefined],
    ['zram with writeback, with prefetch', 500],
    ['zram with writeback, without prefetch', 'not back within the burst'],
  ]);
  expect(rows[1]).toMatchObject({ swapped_bytes: 7, silo_disk_bytes: 5 });
  expect(rows[0]!.name).toContain('6.12 guest');
  expect(guestRatios(one, { workload: 'reads', burst })).toEqual({});
  expect(parseGuestFigures(JSON.stringify({ workload: 'reads', burst })).burst).toBeDefined();
});
