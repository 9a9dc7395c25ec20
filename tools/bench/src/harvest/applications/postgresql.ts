/**
 * PostgreSQL with shared memory for all of its data, under pgbench: single rows by key with a Zipf distribution.
 * pgbench needs an exponent above 1, so the skew is a little higher than that of the other loads.
 */
import { execFile } from 'node:child_process';
import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { MiB } from '@exopool/shared';
import { dropFromPageCache } from '../../machine/cold-files.js';
import { pgbenchWindow } from '../load/pgbench-log.js';
import type { LoadWindow } from '../load/window.js';
import type { Application, ApplicationPlan, RunningApplication } from './application.js';
import { CagedProgram } from './caged-program.js';
import { needProgram } from './programs.js';

const run = promisify(execFile);
const aptPackage = 'postgresql';
/** PostgreSQL refuses to run as root. This user has no other rights. */
const nobody = 65_534;
const user = 'exopool';
/** Bytes of table and index per unit of pgbench's scale. */
const scaleBytes = 15 * MiB;
const sharedFactor = 1.3;
const connections = 4;
const transactionsPerSecond = 1000;
const skew = 1.05;
const query = `\\set rank random_zipfian(1, 100000 * :scale, ${skew})
\\set aid permute(:rank - 1, 100000 * :scale) + 1
SELECT abalance FROM pgbench_accounts WHERE aid = :aid;
`;
const prepare =
  'CREATE EXTENSION pg_prewarm; CREATE EXTENSION pg_stat_statements; CHECKPOINT; ' +
  "SELECT pg_prewarm('pgbench_accounts'), pg_prewarm('pgbench_accounts_pkey')";

export const postgresql: Application = {
  name: 'postgresql',
  workload: `pgbench: one row by its key, Zipf ${skew}, ${transactionsPerSecond} transactions/s over ${connections} connections`,
  start: startPostgresql,
};

async function startPostgresql({ bytes, folder, signal }: ApplicationPlan): Promise<RunningApplication> {
  const data = join(folder, 'postgresql');
  const settings = await initialize(data, folder, bytes);
  const asNobody = ['/usr/bin/setpriv', `--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--'];
  const command = [...asNobody, needProgram('postgres', aptPackage), '-D', data, '-k', data, ...settings];
  const server = await CagedProgram.start('postgresql', command, folder);
  const login = ['-h', data, '-U', user];
  const close = async (): Promise<void> => {
    await server.close();
    rmSync(data, { recursive: true, force: true });
  };
  try {
    const isReady = needProgram('pg_isready', aptPackage);
    await server.whenUp(() =>
      run(isReady, ['-q', '-h', data]).then(
        () => true,
        () => false,
      ),
    );
    const pgbench = needProgram('pgbench', aptPackage);
    const scale = Math.max(1, Math.round(bytes / scaleBytes));
    await run(pgbench, ['-i', '-I', 'dtGvp', '-s', String(scale), '-q', ...login, 'postgres'], { signal });
    const psql = needProgram('psql', aptPackage);
    for (const statement of prepare.split('; '))
      await run(psql, ['-q', ...login, '-c', statement, 'postgres']);
    // Drop the copy in the page cache: the kernel would reclaim it without a harvester.
    await dropFromPageCache(data);
    const load = new Pgbench(pgbench, login, folder, signal);
    return {
      cgroup: server.cgroup,
      metric: `postgresql://${user}@localhost/postgres?host=${encodeURIComponent(data)}&by=statements`,
      run: (seconds) => load.run(seconds, transactionsPerSecond),
      runFlatOut: (seconds) => load.run(seconds, undefined),
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Creates an empty database cluster. @returns the server's settings. */
async function initialize(data: string, folder: string, bytes: number): Promise<string[]> {
  const initdb = needProgram('initdb', aptPackage);
  mkdirSync(data);
  chownSync(data, nobody, nobody);
  // Only the owner can enter the run's folder. Let the server's user pass through it.
  chmodSync(folder, 0o711);
  const words = ['-D', data, '-U', user, '--auth=trust', '--no-sync'];
  await run('setpriv', [`--reuid=${nobody}`, `--regid=${nobody}`, '--clear-groups', '--', initdb, ...words], {
    cwd: data,
  });
  const settings = {
    listen_addresses: '',
    shared_buffers: `${Math.ceil((bytes * sharedFactor) / MiB)}MB`,
    huge_pages: 'off',
    max_wal_size: '8GB',
    autovacuum: 'off',
    shared_preload_libraries: 'pg_stat_statements',
  };
  return Object.entries(settings).flatMap(([name, value]) => ['-c', `${name}=${value}`]);
}

class Pgbench {
  readonly #script: string;

  constructor(
    private readonly program: string,
    private readonly login: readonly string[],
    private readonly folder: string,
    private readonly signal: AbortSignal,
  ) {
    this.#script = join(folder, 'pgbench.sql');
    writeFileSync(this.#script, query);
  }

  async run(seconds: number, rate: number | undefined): Promise<LoadWindow> {
    const logs = join(this.folder, 'pgbench-logs');
    rmSync(logs, { recursive: true, force: true });
    mkdirSync(logs);
    const words = ['-n', '-c', String(connections), '-j', '1', '-M', 'prepared', '-f', this.#script];
    const pace = rate === undefined ? [] : ['-R', String(rate)];
    const time = ['-T', String(Math.max(1, Math.round(seconds)))];
    await run(this.program, [...words, ...pace, ...time, '-l', ...this.login, 'postgres'], {
      cwd: logs,
      signal: this.signal,
    });
    const lines = readdirSync(logs).map((name) => readFileSync(join(logs, name), 'utf8'));
    return pgbenchWindow(lines.join(''));
  }
}
