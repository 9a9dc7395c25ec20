/** Runs redis-benchmark, Redis' own load generator (one thread in C), and parses its output. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ExopoolError } from '@exopool/shared';

const run = promisify(execFile);

export interface RedisBenchmark {
  readonly program: string;
  readonly port: number;
  readonly test: 'set' | 'get';
  readonly requests: number;
  readonly connections: number;
  /** Requests in flight on each connection. */
  readonly batch: number;
  readonly valueBytes: number;
  /** Number of keys to choose from. */
  readonly keys: number;
  readonly signal: AbortSignal;
}

export interface RedisBenchmarkResult {
  readonly opsPerSecond: number;
  /** Latency of a batch. */
  readonly p50Us: number;
  readonly p99Us: number;
}

export async function redisBenchmark(options: RedisBenchmark): Promise<RedisBenchmarkResult> {
  const words = {
    h: '127.0.0.1',
    p: options.port,
    t: options.test,
    n: options.requests,
    c: options.connections,
    P: options.batch,
    d: options.valueBytes,
    r: options.keys,
  };
  const flags = Object.entries(words).flatMap(([flag, value]) => [`-${flag}`, String(value)]);
  const { stdout } = await run(options.program, [...flags, '--csv'], { signal: options.signal });
  return parseRedisBenchmark(stdout);
}

/** @throws ExopoolError `EXOPOOL_INTERNAL` if it is not the output of redis-benchmark 6.2 or later with `--csv`. */
export function parseRedisBenchmark(text: string): RedisBenchmarkResult {
  const lines = text.trim().split('\n');
  const cells = (line: string | undefined): string[] =>
    line?.split(',').map((cell) => cell.replaceAll('"', '').trim()) ?? [];
  const heads = cells(lines.find((line) => line.startsWith('"test"')));
  const values = cells(lines.at(-1));
  const number = (head: string): number => {
    const index = heads.indexOf(head);
    return index === -1 ? NaN : Number(values[index]);
  };
  const result = {
    opsPerSecond: number('rps'),
    p50Us: number('p50_latency_ms') * 1000,
    p99Us: number('p99_latency_ms') * 1000,
  };
  if (Object.values(result).every((value) => Number.isFinite(value))) return result;
  throw new ExopoolError('EXOPOOL_INTERNAL', 'the output of redis-benchmark is not understood');
}
