/**
 * Opens the metric that a URL names.
 *
 *   redis://127.0.0.1:6379            latency; ?by=commands, ?by=throughput
 *   memcached:///run/memcached.sock   latency; ?by=throughput, ?by=hits
 *   postgresql://user@host/database   throughput; ?by=statements, ?by=hits, ?by=latency
 *   prometheus+http://host:9100/metrics#http_seconds{route="/"}
 *   http://host/status#latency.p99    a number in a JSON document
 *   file:/run/app/latency             its last line
 *   pipe:/run/app/latencies           all lines of an epoch
 */
import { ExopoolError } from '@exopool/shared';
import { jsonEndpointMetric } from './json-endpoint.js';
import { memcachedFigures, memcachedMetric } from './memcached.js';
import { parseTarget } from './metric-target.js';
import { fileMetric, pipeMetric } from './number-file.js';
import type { Direction, PerformanceMetric } from './performance-metric.js';
import { postgresqlFigures, postgresqlMetric } from './postgresql.js';
import { prometheusMetric } from './prometheus.js';
import { redisFigures, redisMetric } from './redis.js';

const schemes =
  'redis://, memcached://, postgresql://, prometheus+http://, http://…#path, file:/path or pipe:/path';
const redisPort = 6379;
const memcachedPort = 11_211;

/**
 * @param direction better values, for a metric that does not say so itself.
 * @throws ExopoolError `EXOPOOL_CONFIG` for an invalid URL; `EXOPOOL_UNAVAILABLE` or `EXOPOOL_NOT_FOUND` when a Prometheus
 *   endpoint cannot be read or has no such metric, or a pipe does not exist. Other servers may be away.
 */
export async function openMetric(text: string, direction?: Direction): Promise<PerformanceMetric> {
  try {
    return await openNamed(text, direction);
  } catch (error) {
    if (!(error instanceof URIError)) throw error;
    const message = `${text}: two hexadecimal digits must follow a %; write %25 for the % itself`;
    throw new ExopoolError('EXOPOOL_CONFIG', message, { cause: error });
  }
}

async function openNamed(text: string, direction: Direction | undefined): Promise<PerformanceMetric> {
  const prometheus = /^prometheus\+(https?:.*)$/s.exec(text)?.[1];
  if (prometheus !== undefined) return prometheusMetric(prometheus, direction);
  const url = parseUrl(text);
  switch (url.protocol) {
    case 'redis:':
      return redisMetric(parseTarget(url, redisPort), figureOf(url, redisFigures));
    case 'memcached:':
      return memcachedMetric(parseTarget(url, memcachedPort), figureOf(url, memcachedFigures));
    case 'postgresql:':
    case 'postgres:': {
      const by = figureOf(url, postgresqlFigures);
      url.searchParams.delete('by');
      return postgresqlMetric(url.href, by);
    }
    case 'http:':
    case 'https:':
      return jsonEndpointMetric(text, direction);
    case 'file:':
      return fileMetric(pathOf(text, url), direction);
    case 'pipe:':
      return pipeMetric(pathOf(text, url), direction);
    default:
      throw new ExopoolError('EXOPOOL_CONFIG', `${text}: unknown kind of metric; give ${schemes}`);
  }
}

function parseUrl(text: string): URL {
  try {
    return new URL(text);
  } catch (error) {
    throw new ExopoolError('EXOPOOL_CONFIG', `${text}: not a URL; give ${schemes}`, { cause: error });
  }
}

function pathOf(text: string, url: URL): string {
  if (/^[a-z]+:(?:\/\/)?\/[^/]/.test(text)) return decodeURIComponent(url.pathname);
  throw new ExopoolError(
    'EXOPOOL_CONFIG',
    `${text}: give an absolute path, as in ${url.protocol}/run/app/latency`,
  );
}

/** The figure that `?by=` selects; the first is the default. */
function figureOf<F extends string>(url: URL, figures: readonly F[]): F {
  const by = url.searchParams.get('by') ?? figures[0]!;
  const found = figures.find((figure) => figure === by);
  if (found !== undefined) return found;
  throw new ExopoolError('EXOPOOL_CONFIG', `${url.href}: ?by= must be one of ${figures.join(', ')}`);
}
