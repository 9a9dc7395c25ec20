/** Adapters for whatever tells a number: endpoints, files, pipes; and how a metric is named. */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { appendFile } from 'node:fs/promises';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type * as Timers from 'node:timers/promises';
import { tmpdir } from 'node:os';
import { setImmediate } from 'node:timers/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openMetric } from './open-metric.js';
import { numberAt, parseJsonPath } from './json-endpoint.js';
import { parsePrometheusText, parseSelector } from './prometheus-text.js';
import { CounterDelta, CounterRate, MeanDelta, polledMetric } from './polled-metric.js';
import { probedMetric, underWayMax } from './probed-metric.js';
import { commandTotals } from './redis.js';

/** A machine that holds a test up for a while is none of these: answers may take a hundred times as long. */
const patience = vi.hoisted(() => ({ times: 100 }));
vi.mock('node:timers/promises', async (load) => {
  const timers = await load<typeof Timers>();
  const setTimeout: typeof timers.setTimeout = (ms, ...more) =>
    timers.setTimeout(patience.times * (ms ?? 0), ...more);
  return { ...timers, setTimeout };
});

const epoch = { seconds: 1, pageIns: 0 };
let folder: string;
let server: Server;
let body = '';
let url: string;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-metric-'));
  server = createServer((_, response) => void response.end(body)).listen(0, '127.0.0.1');
  await once(server, 'listening');
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/status`;
});
afterEach(() => {
  server.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('a Prometheus endpoint', () => {
  it('gives a gauge as it is, summed over what matches', async () => {
    body = '# TYPE queue gauge\nqueue{shard="a"} 3\nqueue{shard="b"} 4\n';
    expect(await (await openMetric(`prometheus+${url}#queue`)).endEpoch(epoch)).toBe(7);
    const one = await openMetric(`prometheus+${url}#queue{shard="b"}`, 'higher');
    expect(await one.endEpoch(epoch)).toBe(4);
    expect(one.direction).toBe('higher');
  });

  it('gives a counter as its growth, more is better', async () => {
    body = '# TYPE requests_total counter\nrequests_total 100\n';
    const metric = await openMetric(`prometheus+${url}#requests_total`);
    expect(metric.direction).toBe('higher');
    expect(await metric.endEpoch(epoch)).toBeUndefined();
    body = '# TYPE requests_total counter\nrequests_total 200\n';
    expect(await metric.endEpoch(epoch)).toBeGreaterThan(0);
    // A restart.
    body = '# TYPE requests_total counter\nrequests_total 5\n';
    expect(await metric.endEpoch(epoch)).toBeUndefined();
  });

  it('gives a histogram as the p99 of what came in', async () => {
    const histogram = (small: number, large: number): string =>
      `# TYPE s histogram\ns_bucket{le="0.1"} ${small}\ns_bucket{le="1"} ${small + large}\n` +
      `s_bucket{le="+Inf"} ${small + large}\ns_sum 1\ns_count ${small + large}\n`;
    body = histogram(1000, 0);
    const metric = await openMetric(`prometheus+${url}#s`);
    expect(await metric.endEpoch(epoch)).toBeUndefined();
    body = histogram(1100, 0);
    expect(await metric.endEpoch(epoch)).toBeCloseTo(0.099);
    body = histogram(1150, 50);
    expect(await metric.endEpoch(epoch)).toBeCloseTo(0.1 + 0.9 * 0.98);
    expect(await metric.endEpoch(epoch)).toBeUndefined();
  });

  it('says what it has when the figure is not there', async () => {
    body = 'queue 3\n';
    await expect(openMetric(`prometheus+${url}#nothing`)).rejects.toThrow(/it has queue/);
    await expect(openMetric(`prometheus+${url}`)).rejects.toMatchObject({ code: 'EXOPOOL_CONFIG' });
    await expect(openMetric('prometheus+http://127.0.0.1:1/#x')).rejects.toMatchObject({
      code: 'EXOPOOL_UNAVAILABLE',
    });
  });

  it('is read whatever it says', () => {
    expect(
      parsePrometheusText('a{x="1\\"2\\n"} 5 1700000000\nb NaN\nc +Inf\n# HELP d e\nf{ 1\ng\n').samples,
    ).toEqual([
      { name: 'a', labels: { x: '1"2\n' }, value: 5 },
      { name: 'b', labels: {}, value: Number.NaN },
      { name: 'c', labels: {}, value: Infinity },
    ]);
    expect(parseSelector('a{x="1"')).toBeUndefined();
    fc.assert(fc.property(fc.string(), (text) => void parsePrometheusText(text)));
    fc.assert(
      fc.property(fc.stringMatching(/^[a{}="\\, 0-9\n]*$/), (text) => void parsePrometheusText(text)),
    );
  });
});

describe('a JSON endpoint', () => {
  it('gives the number at the path', async () => {
    body = JSON.stringify({ latency: { p99: [1.5, '2.5'] } });
    expect(await (await openMetric(`${url}#latency.p99[0]`)).endEpoch(epoch)).toBe(1.5);
    expect(await (await openMetric(`${url}#latency.p99[1]`)).endEpoch(epoch)).toBe(2.5);
    expect(await (await openMetric(`${url}#latency.nothing`)).endEpoch(epoch)).toBeUndefined();
    body = 'not JSON';
    expect(await (await openMetric(`${url}#latency.p99[0]`)).endEpoch(epoch)).toBeUndefined();
    await expect(openMetric(url)).rejects.toMatchObject({ code: 'EXOPOOL_CONFIG' });
  });

  it('finds nothing that is not its own', () => {
    expect(numberAt({}, ['constructor', 'length'])).toBeUndefined();
    expect(numberAt({ a: null }, ['a', 'b'])).toBeUndefined();
    expect(numberAt({ a: true }, ['a'])).toBeUndefined();
    expect(parseJsonPath('a..b')).toBeUndefined();
    expect(parseJsonPath('a[0].b')).toEqual(['a', '0', 'b']);
  });
});

describe('a file', () => {
  it('gives its last line', async () => {
    const file = join(folder, 'latency');
    const metric = await openMetric(`file:${file}`);
    expect(await metric.endEpoch(epoch)).toBeUndefined();
    writeFileSync(file, '1\n2.5\n');
    expect(await metric.endEpoch(epoch)).toBe(2.5);
    appendFileSync(file, '7');
    expect(await metric.endEpoch(epoch)).toBe(7);
    writeFileSync(file, 'no number\n');
    expect(await metric.endEpoch(epoch)).toBeUndefined();
  });
});

describe('a pipe', () => {
  it('gives the worst of its lines, from one writer after the other', async () => {
    const pipe = join(folder, 'latencies');
    execFileSync('mkfifo', [pipe]);
    const metric = await openMetric(`pipe:${pipe}`);
    for (const lines of ['1\n9\n2\n', 'junk\n4\n']) {
      await appendFile(pipe, lines);
      await expect.poll(() => metric.endEpoch(epoch)).toBe(lines.startsWith('1') ? 9 : 4);
    }
    metric.close();
  });

  it('is one', async () => {
    const pipe = join(folder, 'latencies');
    await expect(openMetric(`pipe:${pipe}`)).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
    writeFileSync(pipe, '1\n');
    await expect(openMetric(`pipe:${pipe}`)).rejects.toMatchObject({ code: 'EXOPOOL_CONFIG' });
  });
});

describe('figures that count from the start', () => {
  it('are differences', () => {
    const [delta, rate, mean] = [new CounterDelta(), new CounterRate(), new MeanDelta()];
    expect([delta.next(5), delta.next(7), delta.next(1), delta.next(2)]).toEqual([
      undefined,
      2,
      undefined,
      1,
    ]);
    expect([rate.next(10, 1000), rate.next(30, 3000), rate.next(30, 3000)]).toEqual([
      undefined,
      10,
      undefined,
    ]);
    expect([mean.next(10, 1), mean.next(30, 11), mean.next(30, 11)]).toEqual([undefined, 2, undefined]);
  });

  it('leave out what watchers do', () => {
    const info =
      'cmdstat_get:calls=10,usec=30,usec_per_call=3\r\ncmdstat_info:calls=5,usec=500,usec_per_call=100\r\n';
    expect(commandTotals(info)).toEqual({ calls: 10, microseconds: 30 });
  });
});

it('does not wait for a server that does not answer, and does not ask it twice', async () => {
  patience.times = 1;
  let asked = 0;
  let answer: (value: number) => void = () => undefined;
  const metric = polledMetric({
    name: 'slow',
    direction: 'lower',
    defaultSlack: 0,
    read: () => {
      asked += 1;
      return new Promise((resolve) => (answer = resolve));
    },
  });
  expect(await metric.endEpoch(epoch)).toBeUndefined();
  expect(await metric.endEpoch(epoch)).toBeUndefined();
  expect(asked).toBe(1);
  answer(5);
  await setImmediate();
  patience.times = 100;
  const next = metric.endEpoch(epoch);
  answer(6);
  expect(await next).toBe(6);
});

it('does not ask a server that stands still for ever more', () => {
  vi.useFakeTimers();
  try {
    const probe = vi.fn(() => new Promise<boolean>(() => undefined));
    const metric = probedMetric('hung', probe, () => undefined);
    vi.advanceTimersByTime(60_000);
    expect(probe).toHaveBeenCalledTimes(underWayMax);
    metric.close();
  } finally {
    vi.useRealTimers();
  }
});

it.each([
  'redis',
  'redis://h:1?by=magic',
  'memcached://',
  'file:relative/path',
  'gopher://x',
  'pipe://host/x',
  'file:/a%zz',
  'http://h/status#%zz',
])('refuses %s and says what to give', async (text) => {
  await expect(openMetric(text)).rejects.toMatchObject({ code: 'EXOPOOL_CONFIG' });
});
