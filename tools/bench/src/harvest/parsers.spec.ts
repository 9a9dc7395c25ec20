import { describe, expect, it } from 'vitest';
import { parseCpuSeconds } from '../machine/process-cpu.js';
import { timeBack } from './burst.js';
import { percentile } from './give-back.js';
import { pgbenchWindow } from './load/pgbench-log.js';
import { foundBytes, getRequest, isFound, keyOf, setRequest, valueBytes, valueOf } from './load/wire.js';
import { parseRedisBenchmark } from './redis-benchmark.js';

describe('parseRedisBenchmark', () => {
  const heads =
    '"test","rps","avg_latency_ms","min_latency_ms","p50_latency_ms","p95_latency_ms","p99_latency_ms","max_latency_ms"';

  it('finds the figures by their heads', () => {
    const line = '"GET","1370000.50","0.500","0.100","0.480","0.700","0.900","4.000"';
    expect(parseRedisBenchmark(`WARNING: x\n${heads}\n${line}\n`)).toEqual({
      opsPerSecond: 1_370_000.5,
      p50Us: 480,
      p99Us: 900,
    });
  });

  it('refuses anything else', () => {
    expect(() => parseRedisBenchmark('')).toThrow(/redis-benchmark/);
    expect(() => parseRedisBenchmark(heads)).toThrow(/redis-benchmark/);
    expect(() => parseRedisBenchmark('"GET","1"')).toThrow(/redis-benchmark/);
  });
});

describe('pgbenchWindow', () => {
  it('has rate and latencies of all transactions, and a point for each whole second', () => {
    const line = (second: number, latencyUs: number): string => `0 1 ${latencyUs} 0 ${second} 500000 0`;
    const log = [line(9, 500_000), ...Array<string>(99).fill(line(10, 200)), line(11, 4000)].join('\n');
    const window = pgbenchWindow(`${log}\n`);
    expect(window).toMatchObject({ operations: 101, seconds: 2.5 });
    expect(window.p50Us).toBeCloseTo(200, -1);
    expect(window.p999Us).toBeCloseTo(500_000, -4);
    expect(window.points.map(({ atMs, opsPerSecond }) => [atMs, opsPerSecond])).toEqual([[11_000, 99]]);
  });

  it('refuses anything else', () => {
    expect(() => pgbenchWindow('')).toThrow(/not understood/);
    expect(() => pgbenchWindow('0 199 skipped 0 1175850568 995598\n')).toThrow(/not understood/);
  });
});

describe('the wire', () => {
  it.each(['redis', 'memcached'] as const)(
    'knows the length of an answer of %s, and whose it is',
    (protocol) => {
      const value = valueOf(7);
      expect(value).toHaveLength(valueBytes);
      const head = protocol === 'redis' ? `$${valueBytes}\r\n` : `VALUE ${keyOf(7)} 0 ${valueBytes}\r\n`;
      const tail = protocol === 'redis' ? '\r\n' : '\r\nEND\r\n';
      const answer = Buffer.concat([Buffer.from(head), value, Buffer.from(tail)]);
      expect(foundBytes(protocol, 7)).toBe(answer.length);
      expect(isFound(protocol, 7, answer)).toBe(true);
      expect(isFound(protocol, 8, answer)).toBe(false);
      expect(getRequest(protocol, 7)).toContain(keyOf(7));
      expect(setRequest(protocol, 7).includes(value)).toBe(true);
    },
  );

  it('has values that differ', () => {
    expect(valueOf(1).equals(valueOf(2))).toBe(false);
  });
});

it('reads the CPU time behind whatever a process is called', () => {
  const fields = ['S', ...Array<string>(10).fill('0'), '150', '50', '0'].join(' ');
  expect(parseCpuSeconds(`7 (a) (b c) ${fields}`)).toBe(2);
});

it('says when the old p99 is back for good, and when it is not', () => {
  const points = [900, 100, 900, 110, 120, 900].map((p99Us, at) => ({
    atMs: 1000 + at * 500,
    opsPerSecond: 1,
    p99Us,
  }));
  expect(timeBack({ points }, 800, 125)).toBe(1700);
  expect(timeBack({ points }, 800, 100)).toBeUndefined();
});

it('has the nearest rank as percentile', () => {
  const numbers = Array.from({ length: 50 }, (_, index) => 50 - index);
  expect(percentile(numbers, 0.99)).toBe(50);
  expect(percentile(numbers, 0.5)).toBe(25);
  expect(percentile([], 0.5)).toBe(0);
});
