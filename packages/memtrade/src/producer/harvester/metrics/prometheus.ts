/**
 * One metric of any Prometheus endpoint, read according to its type.
 *
 *   counter    its growth a second; higher is better
 *   histogram  the p99 of the observations of an epoch; lower is better
 *   others     its value, summed over the series that match the selector; lower is better
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

/** Smaller changes are rounding errors in any unit: Prometheus uses base units such as seconds. */
const slack = 1e-9;
const tail = 0.99;

/** @param url with the selector after `#`: `http://host:9100/metrics#http_seconds{route="/"}`. */
export async function prometheusMetric(url: string, direction?: Direction): Promise<PerformanceMetric> {
  const at = url.indexOf('#');
  const selector = at === -1 ? undefined : parseSelector(decodeURIComponent(url.slice(at + 1)));
  if (selector === undefined) {
    const message = `${url} names no metric: add it after a #, as in http://host:9100/metrics#name{label="value"}`;
    throw new ExopoolError('EXOPOOL_CONFIG', message);
  }
  const endpoint = url.slice(0, at);
  // The type decides how to read the metric, so it is read once now.
  const first = parsePrometheusText(await fetchText(endpoint));
  const type = typeOf(first, selector, endpoint);
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

function typeOf(text: PrometheusText, { name, labels }: PrometheusSelector, endpoint: string): string {
  const type = text.types.get(name) ?? text.types.get(name.replace(/_total$/, '')) ?? 'untyped';
  if (select(text.samples, type === 'histogram' ? `${name}_bucket` : name, labels).length > 0) return type;
  const known = [...new Set(text.samples.map((sample) => sample.name))].slice(0, 8).join(', ');
  throw new ExopoolError('EXOPOOL_NOT_FOUND', `${endpoint} has no metric ${name}; it has ${known} …`);
}

function valueOf({ samples }: PrometheusText, { name, labels }: PrometheusSelector): number | undefined {
  const found = select(samples, name, labels);
  return found.length === 0 ? undefined : found.reduce((sum, { value }) => sum + value, 0);
}

/** The p99 of the observations of a histogram between two readings, linear within a bucket. */
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
  // The last bucket has no upper bound; its lower bound is the best estimate.
  if (bounds[index] === Infinity) return from;
  return from + ((bounds[index]! - from) * (rank - below)) / Math.max(1, cumulative[index]! - below);
}
