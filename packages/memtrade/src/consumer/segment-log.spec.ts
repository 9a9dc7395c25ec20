import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SegmentLog, segmentBytesMax, type RegionShape } from './segment-log.js';

interface Value {
  readonly region: RegionShape;
  readonly slab: number;
  readonly from: number;
  readonly to: number;
}

describe('a log of segments', () => {
  it('never gives two values the same bytes, nor any outside of their region', () => {
    const region = fc.record({
      slabs: fc.integer({ min: 1, max: 3 }),
      slabBytes: fc.constantFrom(4096, 20_000, 65_536),
    });
    const step = fc.oneof(
      { weight: 20, arbitrary: fc.record({ append: fc.nat({ max: 5000 }) }) },
      { weight: 1, arbitrary: fc.record({ add: region }) },
      { weight: 1, arbitrary: fc.record({ remove: fc.nat() }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
        const log = new SegmentLog<RegionShape, Value>();
        const live = new Set<Value>();
        const regions: RegionShape[] = [];
        const drop = (values: Value[]): void =>
          values.forEach((value) => expect(live.delete(value)).toBe(true));
        for (const each of steps) {
          if ('add' in each) {
            regions.push(each.add);
            log.addRegion(each.add);
          } else if ('remove' in each) {
            const [gone] = regions.splice(each.remove % Math.max(1, regions.length), 1);
            if (gone !== undefined) drop(log.removeRegion(gone));
          } else {
            const place = log.append(each.append, drop);
            expect(place === undefined).toBe(Math.max(1, each.append) > log.valueBytesMax);
            if (place === undefined) continue;
            const { slab, region: where } = place.segment;
            const value = { region: where, slab, from: place.offset, to: place.offset + each.append };
            expect(regions).toContain(where);
            expect(slab < where.slabs && value.to <= where.slabBytes).toBe(true);
            for (const other of live) {
              const apart =
                other.region !== where ||
                other.slab !== slab ||
                other.to <= value.from ||
                value.to <= other.from;
              expect(apart).toBe(true);
            }
            live.add(value);
            place.segment.entries.push(value);
          }
        }
        expect(log.capacityBytes).toBeLessThanOrEqual(
          regions.reduce((sum, { slabs, slabBytes }) => sum + slabs * slabBytes, 0),
        );
      }),
    );
  });

  it('throws the oldest segment away first, and says which are old', () => {
    const log = new SegmentLog<RegionShape, number>();
    log.addRegion({ slabs: 1, slabBytes: 16_384 });
    const evicted: number[] = [];
    const places = Array.from({ length: 6 }, (_, index) => {
      const place = log.append(4096, (entries) => evicted.push(...entries))!;
      place.segment.entries.push(index);
      return place.segment;
    });
    expect(evicted).toEqual([0, 1]);
    expect([2, 3, 4, 5].map((index) => log.isOld(places[index]!, 0.25))).toEqual([true, false, false, false]);
  });

  it('uses segments of 1 MiB when there is much space', () => {
    const log = new SegmentLog<RegionShape, number>();
    log.addRegion({ slabs: 2, slabBytes: 64 * 1024 * 1024 });
    expect(log.valueBytesMax).toBe(segmentBytesMax);
    expect(log.capacityBytes).toBe(128 * 1024 * 1024);
  });
});
