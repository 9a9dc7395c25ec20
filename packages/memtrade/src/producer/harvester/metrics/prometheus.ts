/**
 * Any Prometheus endpoint: one figure of it, by what it says of itself.
 *
 *   counter    its growth a second, higher is better
 *   histogram  the p99 of what was added in the epoch, lower is better
 *   the rest   its value (summed over what the selector matches), lower is better
 */
import { ExopoolError } from '@exopool/shared';
import { fetchText } from './fetch-text.js';
import type { Direction, PerformanceMetric } from './performance-metric.js';
import { CounterDelta, CounterRate, polledMetric } from './polled-metric.js';
import {
  parsePrometheusText,
  parseSelector,
  select,
  type PrometheusSelector,
  type PrometheusText,
} from './prometheus-text.js';

/** A change by less than this is nothing whatever the unit: figures are in base units, seconds above all. */
const slack = 1e-9;
const tail = 0.99;

/** @param url with the selector after `#`: `http://host:9100/metrics#http_seconds{route="/"}`. */
export async function prometheusMetric(url: string, direction?: Direction): Promise<PerformanceMetric> {
  const at = url.indexOf('#');
  const selector = at === -1 ? undefined : parseSelector(decodeURIComponent(url.slice(at + 1)));
  if (selector === undefined) {
    const message = `${url}: say which figure after a #, as in http://host:9100/metrics#name{label="value"}`;
    throw new ExopoolError('EXOPOOL_CONFIG', message);
  }
  const endpoint = url.slice(0, at);
  // What kind of figure it is decides what is read from it, so it is looked at once before.
  const first = parsePrometheusText(await fetchText(endpoint));
  const type = typeOf(first, selector);
  const histogram = new HistogramTail(selector);
  const rate = new CounterRate();
  const readers: Record<string, (text: PrometheusText) => number | undefined> = {
    counter: (text) => rate.next(valueOf(text, selector) ?? Number.NaN, performance.now()),
    histogram: (text) => histogram.next(text),
  };
  const units: Record<string, string> = { counter: ', a second', histogram: ', p99' };
  return polledMetric({
    name: `${selector.name}${units[type] ?? ''}`,
    direction: direction ?? (type === 'counter' ? 'higher' : 'lower'),
    defaultSlack: slack,
    read: async () => {
      const text = parsePrometheusText(await fetchText(endpoint));
      return (readers[type] ?? ((one) => valueOf(one, selector)))(text);
    },
  });
}

function typeOf(text: PrometheusText, { name, labels }: PrometheusSelector): string {
  const type = text.types.get(name) ?? text.types.get(name.replace(/_total$/, '')) ?? 'untyped';
  if (select(text.samples, type === 'histogram' ? `${name}_bucket` : name, labels).length > 0) return type;
  const known = [...new Set(text.samples.map((sample) => sample.name))].slice(0, 8).join(', ');
  throw new ExopoolError(
    'EXOPOOL_NOT_FOUND',
    `the endpoint has no such figure as ${name} (it has ${known} …)`,
  );
}

function valueOf({ samples }: PrometheusText, { name, labels }: PrometheusSelector): number | undefined {
  const found = select(samples, name, labels);
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** The p99 of what came into a histogram's buckets between two looks, linear within a bucket. */
export class HistogramTail {
  readonly #selector: PrometheusSelector;
  readonly #deltas = new Map<number, CounterDelta>();

  constructor(selector: PrometheusSelector) {
    this.#selector = selector;
  }

  next({ samples }: PrometheusText): number | undefined {
    const cumulative = new Map<number, number>();
    for (const { labels, value } of select(samples, `${this.#selector.name}_bucket`, this.#selector.labels)) {
      const bound = labels['le'] === '+Inf' ? Infinity : Number(labels['le']);
      cumulative.set(bound, (cumulative.get(bound) ?? 0) + value);
    }
    const bounds = [...cumulative.keys()].sort((a, b) => a - b);
    const counts = bounds.map((bound) => {
      let delta = this.#deltas.get(bound);
      if (delta === undefined) this.#deltas.set(bound, (delta = new CounterDelta()));
      return delta.next(cumulative.get(bound)!);
    });
    return counts.includes(undefined) ? undefined : quantile(bounds, counts as number[]);
  }
}

function quantile(bounds: readonly number[], cumulative: readonly number[]): number | undefined {
  const total = cumulative.at(-1) ?? 0;
  if (total === 0) return undefined;
  const rank = tail * total;
  const index = cumulative.findIndex((count) => count >= rank);
  const [below, from] = index === 0 ? [0, 0] : [cumulative[index - 1]!, bounds[index - 1]!];
  // Beyond the last bound nothing is known but that: the bound itself.
  if (bounds[index] === Infinity) return from;
  return from + ((bounds[index]! - from) * (rank - below)) / Math.max(1, cumulative[index]! - below);
}
