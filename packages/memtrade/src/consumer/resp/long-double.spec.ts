import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { addLongDoubles, formatLongDouble, parseLongDouble } from './long-double.js';

const add = (a: string, b: string): string => {
  const [x, y] = [parseLongDouble(a), parseLongDouble(b)];
  if (x === undefined || y === undefined || x === 'infinity' || y === 'infinity') return 'invalid';
  const sum = addLongDoubles(x, y);
  return sum === undefined ? 'overflow' : formatLongDouble(sum);
};

describe('numbers of 80 bits', () => {
  it.each([
    ['10.50', '0.1', '10.6'],
    ['5.0e3', '2.0e2', '5200'],
    ['0.1', '0.2', '0.3'],
    ['3', '-3', '0'],
    ['-0', '0', '0'],
    ['0x10', '0x.8p1', '17'],
    ['1e17', '1', '100000000000000001'],
    ['18446744073709551615', '1', '18446744073709551616'],
    ['18446744073709551615', '2', '18446744073709551616'],
    ['1e-4950', '0', '0'],
    ['1e4932', '1e4932', 'overflow'],
    ['1e5000', '0', 'invalid'],
    ['1e-5000', '0', 'invalid'],
    ['1e999999999999', '0', 'invalid'],
    ['nan', '0', 'invalid'],
    ['', '0', 'invalid'],
    ['.', '0', 'invalid'],
    ['1x', '0', 'invalid'],
  ])('%s + %s = %s', (a, b, sum) => {
    expect(add(a, b)).toBe(sum);
  });

  it('add whole numbers exactly, and print them', () => {
    const whole = fc.bigInt({ min: -(2n ** 62n), max: 2n ** 62n });
    fc.assert(
      fc.property(whole, whole, (a, b) => {
        expect(add(String(a), String(b))).toBe(String(a + b));
      }),
    );
  });

  it('add what a double holds at least as well as doubles do', () => {
    const number = fc.integer({ min: -1_000_000, max: 1_000_000 }).map((value) => value / 1024);
    fc.assert(
      fc.property(number, number, (a, b) => {
        expect(Number(add(String(a), String(b)))).toBe(a + b);
      }),
    );
  });
});
