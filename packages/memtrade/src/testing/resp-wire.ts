/** For tests: the protocol by hand. Bytes of requests, where replies end, a client that sends what it is given. */
import { once } from 'node:events';
import { connect, type NetConnectOpts, type Socket } from 'node:net';

export type Word = string | Buffer;

/** A request as clients send it. */
export function request(words: readonly Word[]): Buffer {
  const parts = words.flatMap((word) => {
    const bytes = typeof word === 'string' ? Buffer.from(word, 'latin1') : word;
    return [Buffer.from(`$${bytes.length}\r\n`), bytes, Buffer.from('\r\n')];
  });
  return Buffer.concat([Buffer.from(`*${words.length}\r\n`), ...parts]);
}

/** Where the reply that begins at `at` ends; -1 when it is not complete. */
export function replyEnd(bytes: Buffer, at: number): number {
  const lineEnd = bytes.indexOf('\r\n', at);
  if (lineEnd < 0) return -1;
  const kind = String.fromCharCode(bytes[at]!);
  const number = Number(bytes.toString('latin1', at + 1, lineEnd));
  const next = lineEnd + 2;
  if ('+-:_,#('.includes(kind)) return next;
  if (kind === '$' || kind === '=') {
    const end = number < 0 ? next : next + number + 2;
    return end <= bytes.length ? end : -1;
  }
  let end = next;
  for (let item = 0; item < number * (kind === '%' ? 2 : 1); item++) {
    if (end >= bytes.length) return -1;
    end = replyEnd(bytes, end);
    if (end < 0) return -1;
  }
  return end;
}

export class WireClient {
  readonly #socket: Socket;
  #received: Buffer[] = [];
  #bytes = Buffer.alloc(0);
  #at = 0;
  #wake: (() => void) | undefined;
  isClosed = false;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received.push(chunk);
      this.#wake?.();
    });
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.isClosed = true;
      this.#wake?.();
    });
  }

  static async connect(where: NetConnectOpts): Promise<WireClient> {
    const socket = connect(where);
    await once(socket, 'connect');
    return new WireClient(socket);
  }

  send(bytes: Word): void {
    this.#socket.write(bytes);
  }

  /** The bytes of the next replies, one each; fewer when the connection ends. */
  async replies(count: number): Promise<Buffer[]> {
    const found: Buffer[] = [];
    while (found.length < count) {
      const end = this.#at < this.#bytes.length ? replyEnd(this.#bytes, this.#at) : -1;
      if (end >= 0) {
        found.push(this.#bytes.subarray(this.#at, end));
        this.#at = end;
      } else if (this.#received.length > 0) {
        this.#bytes = Buffer.concat([this.#bytes.subarray(this.#at), ...this.#received]);
        this.#received = [];
        this.#at = 0;
      } else if (this.isClosed) {
        break;
      } else {
        await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    }
    return found;
  }

  async call(...words: Word[]): Promise<string> {
    this.send(request(words));
    return (await this.replies(1))[0]?.toString('latin1') ?? 'closed';
  }

  /** Everything until the other side closes. */
  async rest(): Promise<string> {
    while (!this.isClosed) await new Promise<void>((resolve) => (this.#wake = resolve));
    return Buffer.concat([this.#bytes.subarray(this.#at), ...this.#received]).toString('latin1');
  }

  /** Reads nothing until `resume`. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  /** Sends nothing more, and goes on reading. */
  end(): void {
    this.#socket.end();
  }

  close(): void {
    this.#socket.destroy();
  }
}
