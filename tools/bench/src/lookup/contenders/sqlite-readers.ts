/**
 * Worker threads that read from an SQLite database. Each thread gets the requests of one turn of the event loop in one
 * message, since a message costs more than a read from memory. This file is both the pool and the code of a thread.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { fileURLToPath } from 'node:url';
import Database from 'better-sqlite3';

export const selectOne = 'SELECT value FROM records WHERE key = ?';

export function openSqlite(path: string, pragmas: readonly string[]): Database.Database {
  const database = new Database(path);
  for (const pragma of pragmas) database.pragma(pragma);
  return database;
}

interface ThreadData {
  readonly sqlite: { readonly path: string; readonly pragmas: readonly string[] };
}

interface Asked {
  /** Keys as text: a Buffer would be sent with the whole memory chunk that contains it. */
  readonly key: string;
  resolve(value: Uint8Array | undefined): void;
  reject(error: Error): void;
}

class Thread {
  readonly worker: Worker;
  #waiting: Asked[] = [];
  #asked: Asked[] = [];

  constructor(data: ThreadData) {
    this.worker = new Worker(fileURLToPath(import.meta.url), { workerData: data });
    this.worker.on('message', (values: (Uint8Array | undefined)[]) => {
      const asked = this.#asked;
      this.#asked = [];
      for (const [place, one] of asked.entries()) one.resolve(values[place]);
      this.#send();
    });
    this.worker.on('error', (error) => {
      for (const one of [...this.#asked, ...this.#waiting]) one.reject(error);
    });
  }

  ask(asked: Asked): void {
    this.#waiting.push(asked);
    if (this.#waiting.length === 1 && this.#asked.length === 0) queueMicrotask(() => this.#send());
  }

  #send(): void {
    if (this.#asked.length > 0 || this.#waiting.length === 0) return;
    this.#asked = this.#waiting;
    this.#waiting = [];
    this.worker.postMessage(this.#asked.map(({ key }) => key));
  }
}

export class SqliteReaders {
  #threads: Thread[] | undefined;
  #next = 0;

  constructor(
    private readonly path: string,
    private readonly pragmas: readonly string[],
    private readonly count: number,
  ) {}

  /** The threads start with the first call. */
  get(key: Buffer): Promise<Uint8Array | undefined> {
    const { path, pragmas } = this;
    this.#threads ??= Array.from({ length: this.count }, () => new Thread({ sqlite: { path, pragmas } }));
    const thread = this.#threads[(this.#next += 1) % this.count]!;
    return new Promise((resolve, reject) => thread.ask({ key: key.toString('latin1'), resolve, reject }));
  }

  async close(): Promise<void> {
    await Promise.all((this.#threads ?? []).map(({ worker }) => worker.terminate()));
    this.#threads = undefined;
  }
}

const data = workerData as ThreadData | null;
if (!isMainThread && parentPort !== null && data !== null && 'sqlite' in data) {
  const database = openSqlite(data.sqlite.path, data.sqlite.pragmas);
  const one = database.prepare<[Uint8Array], Buffer>(selectOne).pluck();
  const port = parentPort;
  port.on('message', (keys: readonly string[]) => {
    port.postMessage(keys.map((key) => one.get(Buffer.from(key, 'latin1'))));
  });
}
