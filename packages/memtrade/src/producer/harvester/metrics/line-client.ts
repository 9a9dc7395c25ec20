/** A client of a server with a protocol of text lines. It reconnects after a loss. */
import { connect, type Socket } from 'node:net';
import type { MetricTarget } from './metric-target.js';

/** Bytes of one answer; memcached's `stats` has some 3 KiB. A longer answer ends the connection. */
const answerBytesMax = 1024 * 1024;
const reconnectMs = 1000;

interface Question {
  readonly end: RegExp;
  readonly lines: string[];
  resolve(lines: string[] | undefined): void;
}

export class LineClient {
  readonly #target: MetricTarget;
  readonly #questions: Question[] = [];
  #socket: Socket | undefined;
  #received = '';
  /** Bytes since the end of the last answer. */
  #answerBytes = 0;
  #triedMs = -Infinity;
  #isClosed = false;

  constructor(target: MetricTarget) {
    this.#target = target;
    this.#connect();
  }

  /** Resolves with the answer's lines up to the one that matches `end`; `undefined` when the server is away. */
  ask(question: string, end: RegExp): Promise<string[] | undefined> {
    if (this.#socket === undefined) this.#connect();
    const socket = this.#socket;
    if (socket === undefined || socket.connecting) return Promise.resolve(undefined);
    return new Promise((resolve) => {
      this.#questions.push({ end, lines: [], resolve });
      socket.write(`${question}\r\n`);
    });
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.destroy();
  }

  #connect(): void {
    const nowMs = performance.now();
    if (this.#isClosed || nowMs - this.#triedMs < reconnectMs) return;
    this.#triedMs = nowMs;
    const socket = connect(
      'path' in this.#target
        ? { path: this.#target.path }
        : { host: this.#target.host, port: this.#target.port },
    );
    this.#socket = socket;
    socket.setNoDelay().setEncoding('latin1');
    socket.on('data', (text: string) => this.#take(socket, text));
    socket.on('error', () => undefined).on('close', () => this.#lost());
  }

  #take(socket: Socket, text: string): void {
    this.#received += text;
    this.#answerBytes += text.length;
    const lines = this.#received.split('\r\n');
    this.#received = lines.pop() ?? '';
    for (const line of lines) {
      const question = this.#questions[0];
      question?.lines.push(line);
      if (question?.end.test(line) !== true) continue;
      this.#questions.shift();
      this.#answerBytes = 0;
      question.resolve(question.lines);
    }
    if (this.#answerBytes > answerBytesMax) socket.destroy();
  }

  #lost(): void {
    this.#socket = undefined;
    this.#received = '';
    this.#answerBytes = 0;
    for (const question of this.#questions.splice(0)) question.resolve(undefined);
  }
}
