/**
 * The performance of a PostgreSQL server, from its statistics views.
 *
 *   throughput transactions a second of all databases (pg_stat_database); for closed-loop loads
 *   statements mean duration of a statement in milliseconds (pg_stat_statements, an extension)
 *   hits       share of blocks found in shared memory (pg_stat_database), per cent
 *   latency    p99 of `SELECT 1` in milliseconds: shows a stalled machine, but not the waits of other sessions
 */
import { Client } from 'pg';
import type { PerformanceMetric } from './performance-metric.js';
import { CounterRate, MeanDelta, polledMetric } from './polled-metric.js';
import { probedMetric } from './probed-metric.js';

export const postgresqlFigures = ['throughput', 'statements', 'hits', 'latency'] as const;

const questions = {
  throughput:
    'SELECT sum(xact_commit + xact_rollback)::float8 AS value, 0::float8 AS times FROM pg_stat_database',
  statements:
    'SELECT sum(total_exec_time)::float8 AS value, sum(calls)::float8 AS times FROM pg_stat_statements',
  hits: `SELECT 100 * sum(blks_hit)::float8 AS value, sum(blks_hit + blks_read)::float8 AS times
    FROM pg_stat_database`,
} as const;

/** Interval of attempts to reach a server that is away. */
const reconnectMs = 1000;
const connectTimeoutMs = 2000;

/** @param url in libpq's format: `postgresql://user@host/database`, with `?host=/run/postgresql` for a socket. */
export function postgresqlMetric(url: string, by: (typeof postgresqlFigures)[number]): PerformanceMetric {
  const server = new ReconnectingClient(url);
  const close = (): void => server.close();
  if (by === 'latency') {
    const probe = async (): Promise<boolean> => (await server.ask('SELECT 1')) !== undefined;
    return probedMetric('PostgreSQL SELECT 1 p99, ms', probe, close);
  }
  const rate = new CounterRate();
  const mean = new MeanDelta();
  const read = async (): Promise<number | undefined> => {
    const row = await server.ask(questions[by]);
    if (row === undefined) return undefined;
    const { value, times } = row;
    return by === 'throughput' ? rate.next(value, performance.now()) : mean.next(value, times);
  };
  const figure = {
    throughput: { name: 'PostgreSQL transactions a second', direction: 'higher', defaultSlack: 5 },
    statements: { name: 'PostgreSQL statement mean, ms', direction: 'lower', defaultSlack: 0.02 },
    hits: { name: 'PostgreSQL block hits, %', direction: 'higher', defaultSlack: 0.1 },
  } as const;
  return polledMetric({ ...figure[by], read, close });
}

interface Row {
  readonly value: number;
  readonly times: number;
}

class ReconnectingClient {
  readonly #url: string;
  #client: Client | undefined;
  #isReady = false;
  #triedMs = -Infinity;
  #isClosed = false;

  constructor(url: string) {
    this.#url = url;
    this.#connect();
  }

  /** The first row; `undefined` when the server is away. */
  async ask(question: string): Promise<Row | undefined> {
    if (this.#client === undefined) this.#connect();
    if (this.#client === undefined || !this.#isReady) return undefined;
    return (await this.#client.query<Row>(question)).rows[0];
  }

  close(): void {
    this.#isClosed = true;
    const client = this.#client;
    this.#client = undefined;
    // Nobody waits for this: it ends once the server has read it, or with the server.
    client?.end().catch(() => undefined);
  }

  #connect(): void {
    const nowMs = performance.now();
    if (this.#isClosed || nowMs - this.#triedMs < reconnectMs) return;
    this.#triedMs = nowMs;
    const client = new Client({
      connectionString: this.#url,
      connectionTimeoutMillis: connectTimeoutMs,
      application_name: 'exopool producer',
    });
    this.#client = client;
    this.#isReady = false;
    const lost = (): void => {
      if (this.#client === client) this.#client = undefined;
    };
    client.on('error', lost).on('end', lost);
    client.connect().then(() => (this.#isReady = true), lost);
  }
}
