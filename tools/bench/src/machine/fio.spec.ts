import { describe, expect, it } from 'vitest';
import { parseFio } from './fio.js';

describe('parseFio', () => {
  it('finds the figures behind whatever fio warns of', () => {
    const read = {
      iops: 121_000.5,
      clat_ns: { percentile: { '50.000000': 900_000, '99.000000': 2_000_000, '99.900000': 3_000_000 } },
    };
    expect(parseFio(`fio: a warning\n${JSON.stringify({ jobs: [{ read }] })}`)).toEqual({
      iops: 121_000.5,
      p50Us: 900,
      p99Us: 2000,
      p999Us: 3000,
    });
  });

  it('refuses anything else', () => {
    expect(() => parseFio('no such engine')).toThrow(/fio/);
    expect(() => parseFio('{"jobs":[]}')).toThrow(/fio/);
  });
});
