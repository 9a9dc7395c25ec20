import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readMarks, type ReadMarks } from '@exopool/native';
import { groupsOf, layers, passagesOf, sumOf, timesOf, type DriverKind } from './layers.js';

const full: ReadMarks = {
  before: 0,
  syscallIn: 100,
  fsIn: 300,
  blockIn: 600,
  driverIn: 1000,
  issue: 1100,
  driverOut: 1500,
  complete: 5500,
  running: 6100,
  fsOut: 6800,
  syscallOut: 7600,
  after: 8500,
};

function without(...names: (keyof ReadMarks)[]): ReadMarks {
  return Object.fromEntries(
    Object.entries(full).filter(([name]) => !names.includes(name as keyof ReadMarks)),
  ) as unknown as ReadMarks;
}

describe('the time in each layer', () => {
  it('is from one border to the next, there and back', () => {
    expect(timesOf(full)).toEqual({
      crossing: 100 + 900,
      'system call': 200 + 800,
      'file system': 300 + 700,
      'block layer': 400,
      driver: 500,
      device: 4000,
      'wake-up': 600,
    });
  });

  it('stays with the layer outside of a border that was not seen', () => {
    expect(timesOf(without('fsIn', 'fsOut'))).toMatchObject({ 'system call': 500 + 1500, 'file system': 0 });
    expect(timesOf(without('driverIn', 'driverOut'))).toMatchObject({
      'block layer': 500,
      driver: 0,
      device: 4400,
    });
    expect(timesOf(without('running'))).toMatchObject({ 'wake-up': 0, 'file system': 300 + 1300 });
    expect(timesOf(without('driverIn', 'issue', 'driverOut'))).toMatchObject({
      'block layer': 4900,
      device: 0,
    });
  });

  it('is the device itself while the driver of a device without requests is called', () => {
    const marks = without('issue', 'complete', 'running');
    expect(timesOf(marks, 'bio')).toMatchObject({ 'block layer': 400, driver: 0, device: 500, 'wake-up': 0 });
    expect(timesOf(marks, 'bio')['file system']).toBe(300 + 5300);
  });

  it('is never less than none, and all together what the read took, whatever the marks', () => {
    const marks = fc
      .record(Object.fromEntries(readMarks.map((mark) => [mark, fc.integer({ min: -100, max: 10_000 })])), {
        requiredKeys: [],
      })
      .map((some) => ({ ...some, before: 0, after: Math.max(0, some['after'] ?? 0) }));
    fc.assert(
      fc.property(marks, fc.constantFrom<DriverKind>('request', 'bio'), (read, kind) => {
        const times = timesOf(read, kind);
        for (const layer of layers) expect(times[layer]).toBeGreaterThanOrEqual(0);
        expect(sumOf(times)).toBe(read.after);
        expect(groupsOf(read, kind).flat()).toEqual(layers);
        const { call, inner } = passagesOf(read);
        const passed = Object.keys(read).filter((mark) => mark !== 'before' && mark !== 'after');
        expect(sumOf(call) + sumOf(inner)).toBe(passed.length);
      }),
    );
  });
});

describe('layers that are told apart', () => {
  it.each<[string, ReadMarks, DriverKind, string[]]>([
    [
      'all',
      full,
      'request',
      ['crossing', 'system call', 'file system', 'block layer', 'driver', 'device', 'wake-up'],
    ],
    [
      'no function of the driver',
      without('driverIn', 'driverOut'),
      'request',
      ['crossing', 'system call', 'file system', 'block layer', 'driver+device', 'wake-up'],
    ],
    [
      'a device without requests',
      without('issue', 'complete'),
      'bio',
      ['crossing', 'system call', 'file system', 'block layer', 'driver+device', 'wake-up'],
    ],
    [
      'the same by tracepoints',
      without('driverIn', 'driverOut', 'issue'),
      'bio',
      ['crossing', 'system call', 'file system', 'block layer+driver+device', 'wake-up'],
    ],
    [
      'a file system that is not known',
      without('fsIn', 'fsOut'),
      'request',
      ['crossing', 'system call+file system', 'block layer', 'driver', 'device', 'wake-up'],
    ],
  ])('%s', (_name, marks, kind, groups) => {
    expect(groupsOf(marks, kind).map((group) => group.join('+'))).toEqual(groups);
  });
});
