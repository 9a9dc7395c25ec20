/**
 * memcached with a minimal client: the requests of one turn of the event loop are one write, replies come in the order
 * of requests, and values are views of the received bytes.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { freePort } from '@exopool/demo/stack';
import { ExopoolError } from '@exopool/shared';
import { listens } from '../../harvest/applications/caged-program.js';
import { needProgram } from '../../harvest/applications/programs.js';
import type { CacheContender } from './contender.js';

export const memcachedName = 'memcached';
const memoryMiB = 512;
const lineEnd = '\r\n';
const [stored, end] = ['STORED', 'END'];

export class MemcachedServer {
  private constructor(
    private readonly port: number,
    private readonly child: ChildProcess,
  ) {}

  /** @throws ExopoolError `EXOPOOL_NOT_FOUND` without memcached. */
  static async start(signal: AbortSignal): Promise<MemcachedServer> {
    const program = needProgram('memcached', 'memcached');
    const port = await freePort();
    const words = ['-l', '127.0.0.1', '-p', String(port), '-U', '0', '-m', String(memoryMiB), '-u', 'nobody'];
    // The kernel kills it with this process.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...words], { stdio: 'ignore' });
    await once(child, 'spawn');
    while (!(await listens({ host: '127.0.0.1', port }))) signal.throwIfAborted();
    return new MemcachedServer(port, child);
  }

  async client(): Promise<CacheContender> {
    const socket = connect(this.port, '127.0.0.1').setNoDelay(true);
    await once(socket, 'connect');
    const client = new MemcachedClient(socket);
    return {
      name: memcachedName,
      by: 'a client of the suite',
      putMany: async (entries) => {
        await Promise.all(entries.map(([key, value]) => client.set(key, value)));
      },
      get: async (key) => (await client.get([key]))[0],
      getMany: (keys) => client.get(keys),
      close: () => {
        socket.destroy();
        return Promise.resolve();
      },
    };
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit');
    if (this.child.kill('SIGKILL')) await ended;
  }
}

interface Waiting {
  readonly values: (Buffer | undefined)[];
  readonly keys: readonly Buffer[];
  /** Index in `keys` from which the next value may be. */
  at: number;
  readonly resolve: (values: (Buffer | undefined)[]) => void;
  readonly reject: (error: Error) => void;
}

class MemcachedClient {
  readonly #socket: Socket;
  #waiting: Waiting[] = [];
  #head = 0;
  #input: Buffer = Buffer.alloc(0);
  #isCorked = false;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#receive(chunk));
    socket.on('error', (error) => this.#fail(error));
  }

  get(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    return this.#ask(keys, `get ${keys.map((key) => key.toString('latin1')).join(' ')}${lineEnd}`);
  }

  async set(key: Buffer, value: Buffer): Promise<void> {
    const head = Buffer.from(`set ${key.toString('latin1')} 0 0 ${value.length}${lineEnd}`, 'latin1');
    await this.#ask([], Buffer.concat([head, value, Buffer.from(lineEnd)]));
  }

  #ask(keys: readonly Buffer[], request: string | Buffer): Promise<(Buffer | undefined)[]> {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(request, 'latin1');
    return new Promise((resolve, reject) => {
      const values = new Array<Buffer | undefined>(keys.length).fill(undefined);
      this.#waiting.push({ values, keys, at: 0, resolve, reject });
    });
  }

  #receive(chunk: Buffer): void {
    const input = this.#input.length === 0 ? chunk : Buffer.concat([this.#input, chunk]);
    let at = 0;
    for (let next: number | undefined = 0; next !== undefined; next = this.#line(input, at)) at = next;
    this.#input = input.subarray(at);
    if (this.#head < this.#waiting.length) return;
    this.#waiting = [];
    this.#head = 0;
  }

  /** Handles one line and its value. @returns the index after them; `undefined` if they are not complete yet. */
  #line(input: Buffer, at: number): number | undefined {
    const lineAt = input.indexOf(lineEnd, at);
    if (lineAt < 0) return undefined;
    const line = input.toString('latin1', at, lineAt);
    const next = lineAt + lineEnd.length;
    if (line === end || line === stored) {
      const { values, resolve } = this.#waiting[this.#head++]!;
      resolve(values);
      return next;
    }
    const [word, key, , bytes] = line.split(' ');
    if (word !== 'VALUE') {
      this.#fail(new ExopoolError('EXOPOOL_PROTOCOL', `memcached says ${line}`));
      return next;
    }
    const after = next + Number(bytes);
    if (input.length < after + lineEnd.length) return undefined;
    this.#place(this.#waiting[this.#head]!, key!, input.subarray(next, after));
    return after + lineEnd.length;
  }

  /** Values come in the order of the keys, without absent ones. */
  #place(waiting: Waiting, key: string, value: Buffer): void {
    while (waiting.keys[waiting.at]!.toString('latin1') !== key) waiting.at += 1;
    waiting.values[waiting.at++] = value;
  }

  #fail(error: Error): void {
    for (const { reject } of this.#waiting.slice(this.#head)) reject(error);
    this.#head = this.#waiting.length;
    this.#socket.destroy();
  }
}
