/**
 * A load on a key-value server, at a rate or flat out.
 *
 *   at a rate   requests are sent when they are due, whatever is in flight; if the server stalls, a queue builds up,
 *               and latencies include the time in it
 *   flat out    a number of connections, each with one request in flight; the next is sent when the answer is there
 *
 * One request in twenty is an update. The choice of items follows Zipf.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { Latencies } from '@exopool/demo/latencies';
import { seededRandom, type Random } from '@exopool/demo/random';
import { zipf } from '@exopool/demo/zipf';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { windowOf, type LoadWindow, type LoadPoint } from './window.js';
import { foundBytes, getRequest, isFound, setRequest, storedAnswer, type Protocol } from './wire.js';

export interface RunOptions {
  readonly seconds: number;
  /** Requests a second in an open loop; `undefined` for a closed loop. */
  readonly rate: number | undefined;
  /** Uniform over all items instead of Zipf, so that cold items are read too. */
  readonly isUniform?: boolean;
}

export interface KeyValuePlan {
  readonly protocol: Protocol;
  /** The server's Unix socket. */
  readonly socket: string;
  readonly items: number;
  readonly theta: number;
  readonly connections: number;
  readonly seed: number;
}

const updateShare = 0.05;
/** Sets in flight while filling. */
const fillBatch = 256;
/** Length of a point of a window. */
const pointMs = 500;
/** Interval at which due requests are sent together. */
const tickMs = 1;
/** A server that sends nothing for this long has failed. Bringing pages back from a disk takes less. */
const silenceMsMax = 30_000;

export class KeyValueLoad {
  readonly #plan: KeyValuePlan;
  readonly #random: Random;
  readonly #nextItem: () => number;
  readonly #anyItem: () => number;

  constructor(plan: KeyValuePlan) {
    this.#plan = plan;
    this.#random = seededRandom(plan.seed);
    this.#nextItem = zipf(plan.items, this.#random, plan.theta);
    this.#anyItem = () => Math.floor(this.#random() * plan.items);
  }

  /** Sets every item once. */
  async fill(): Promise<void> {
    const { protocol, items } = this.#plan;
    const client = await Client.connect(this.#plan.socket);
    const stored = storedAnswer(protocol);
    try {
      for (let item = 0; item < items; item += fillBatch) {
        const count = Math.min(fillBatch, items - item);
        const requests = Array.from({ length: count }, (_, index) => setRequest(protocol, item + index));
        const answer = await client.ask(Buffer.concat(requests), stored.length * count);
        if (answer.toString('latin1') !== stored.repeat(count)) throw unexpected(answer);
      }
    } finally {
      client.close();
    }
  }

  async run({ seconds, rate, isUniform = false }: RunOptions): Promise<LoadWindow> {
    const clients = await Promise.all(
      Array.from({ length: this.#plan.connections }, () => Client.connect(this.#plan.socket)),
    );
    const nextItem = isUniform ? this.#anyItem : this.#nextItem;
    const tally = new Tally(seconds);
    try {
      if (rate === undefined) await Promise.all(clients.map((client) => this.#loop(client, nextItem, tally)));
      else await this.#paced(clients, nextItem, tally, rate);
      return tally.window();
    } finally {
      for (const client of clients) client.close();
    }
  }

  async #loop(client: Client, nextItem: () => number, tally: Tally): Promise<void> {
    while (!tally.isOver) await this.#askOne(client, nextItem(), tally);
  }

  async #paced(
    clients: readonly Client[],
    nextItem: () => number,
    tally: Tally,
    rate: number,
  ): Promise<void> {
    const startMs = performance.now();
    const underWay = new Set<Promise<void>>();
    const failures: Error[] = [];
    let sent = 0;
    while (!tally.isOver && failures.length === 0) {
      const due = Math.floor(((performance.now() - startMs) * rate) / 1000);
      for (; sent < due; sent += 1) {
        const call = this.#askOne(clients[sent % clients.length]!, nextItem(), tally)
          .catch((error: unknown) => {
            failures.push(toExopoolError(error));
          })
          .finally(() => underWay.delete(call));
        underWay.add(call);
      }
      tally.touch();
      await sleep(tickMs);
    }
    await Promise.all(underWay);
    if (failures[0] !== undefined) throw failures[0];
  }

  async #askOne(client: Client, item: number, tally: Tally): Promise<void> {
    const { protocol } = this.#plan;
    const startMs = performance.now();
    if (this.#random() < updateShare) {
      const stored = storedAnswer(protocol);
      const answer = await client.ask(setRequest(protocol, item), stored.length);
      if (answer.toString('latin1') !== stored) throw unexpected(answer);
    } else {
      const answer = await client.ask(getRequest(protocol, item), foundBytes(protocol, item));
      if (!isFound(protocol, item, answer)) throw unexpected(answer);
    }
    tally.record(startMs, performance.now());
  }
}

/** Counts and times calls, in all and point by point. */
class Tally {
  readonly #all = new Latencies();
  readonly #part = new Latencies();
  readonly #points: LoadPoint[] = [];
  readonly #startMs = performance.now();
  readonly #endMs: number;
  #partStartMs = this.#startMs;
  #lastMs = this.#startMs;
  #operations = 0;

  constructor(seconds: number) {
    this.#endMs = this.#startMs + seconds * 1000;
  }

  get isOver(): boolean {
    return this.#lastMs >= this.#endMs;
  }

  /** Checks the clock even if no answer comes. */
  touch(): void {
    this.#lastMs = performance.now();
  }

  record(fromMs: number, toMs: number): void {
    this.#operations += 1;
    this.#lastMs = toMs;
    this.#all.record(toMs - fromMs);
    this.#part.record(toMs - fromMs);
    if (toMs - this.#partStartMs < pointMs) return;
    this.#points.push({
      atMs: Date.now(),
      opsPerSecond: (this.#part.count * 1000) / (toMs - this.#partStartMs),
      p99Us: this.#part.percentileUs(99),
    });
    this.#part.reset();
    this.#partStartMs = toMs;
  }

  window(): LoadWindow {
    return windowOf(this.#all, this.#operations, (this.#lastMs - this.#startMs) / 1000, this.#points);
  }
}

interface Pending {
  readonly bytes: number;
  readonly resolve: (answer: Buffer) => void;
  readonly reject: (error: Error) => void;
}

/** One connection. Answers come in the order of their requests, and the length of each is known before. */
class Client {
  readonly #socket: Socket;
  readonly #pending: Pending[] = [];
  #received: Buffer = Buffer.alloc(0);

  static async connect(path: string): Promise<Client> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new Client(socket);
  }

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.setTimeout(silenceMsMax);
    socket.on('data', (chunk) => this.#take(chunk)).on('close', () => this.#lose());
    socket.on('timeout', () => socket.destroy()).on('error', () => undefined);
  }

  /** @returns the answer, or the error message of the server. */
  ask(request: Buffer | string, bytes: number): Promise<Buffer> {
    return new Promise((resolve, reject) => {
      this.#pending.push({ bytes, resolve, reject });
      this.#socket.write(request, 'latin1');
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    for (let first = this.#pending[0]; first !== undefined; first = this.#pending[0]) {
      // After an error message the lengths are wrong, so the request fails, and the load with it.
      const bytes = isComplaint(this.#received) ? this.#received.length : first.bytes;
      if (bytes === 0 || this.#received.length < bytes) return;
      this.#pending.shift();
      const answer = this.#received.subarray(0, bytes);
      this.#received = this.#received.subarray(bytes);
      first.resolve(answer);
    }
  }

  #lose(): void {
    const error = new ExopoolError('EXOPOOL_UNAVAILABLE', 'the server under load went away');
    for (const { reject } of this.#pending.splice(0)) reject(error);
  }
}

/** `-ERR …` of Redis; `ERROR`, `SERVER_ERROR …` and `NOT_STORED` of memcached; and a miss of a get. */
function isComplaint(start: Buffer): boolean {
  return /^(-|ERROR|SERVER_ERROR|CLIENT_ERROR|NOT_STORED|END|\$-1)/.test(start.toString('latin1', 0, 12));
}

function unexpected(answer: Buffer): ExopoolError {
  const start = JSON.stringify(answer.toString('latin1', 0, 60));
  return new ExopoolError('EXOPOOL_INTERNAL', `the server under load answered ${start}`);
}
