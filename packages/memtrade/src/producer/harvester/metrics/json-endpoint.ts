/** A number in a JSON document behind a URL: `http://host/status#latency.p99[0]`. */
import { ExopoolError } from '@exopool/shared';
import { fetchText } from './fetch-text.js';
import type { Direction, PerformanceMetric } from './performance-metric.js';
import { polledMetric } from './polled-metric.js';

export function jsonEndpointMetric(url: string, direction: Direction = 'lower'): PerformanceMetric {
  const at = url.indexOf('#');
  const path = at === -1 ? undefined : parseJsonPath(decodeURIComponent(url.slice(at + 1)));
  if (path === undefined) {
    const message = `${url} names no number: add its path after a #, as in http://host/status#latency.p99`;
    throw new ExopoolError('EXOPOOL_CONFIG', message);
  }
  const endpoint = url.slice(0, at);
  return polledMetric({
    name: path.join('.'),
    direction,
    defaultSlack: 0,
    read: async () => numberAt(JSON.parse(await fetchText(endpoint)), path),
  });
}

/** `a.b[0].c` as its steps; `undefined` for anything else. */
export function parseJsonPath(text: string): string[] | undefined {
  if (!/^[^.[\]]+(?:\.[^.[\]]+|\[\d+\])*$/.test(text)) return undefined;
  return text.split(/[.[\]]+/).filter((step) => step !== '');
}

/** The number at the path, which may be text; `undefined` without one. */
export function numberAt(document: unknown, path: readonly string[]): number | undefined {
  let value = document;
  for (const step of path) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  return typeof number === 'number' && Number.isFinite(number) ? number : undefined;
}
