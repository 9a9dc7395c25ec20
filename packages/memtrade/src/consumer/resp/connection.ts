/**
 * One client: requests in, replies out, in the same order.
 *
 *   socket -> parser -> command -> reply                     at once, into the writer
 *                              \-> promise -> slot           its place in the queue; later replies wait behind it
 *
 * A client may send faster than it reads, or than leased memory answers. Its queue, its output and the load of the
 * whole server each have a limit. At any of these limits its socket is paused.
 */
import type { Socket } from 'node:net';
import { findCommand, type Command, type ServerView, type Session } from './command-table.js';
import { ReplyError, ReplyWriter, type Protocol, type Reply } from './reply.js';
import { ProtocolError, RequestParser } from './request-parser.js';

/** Requests of one client in flight: a pipeline of this depth fills the batches to leased memory. */
const slotsMax = 1024;
/** Bytes of finished replies that wait for an earlier one, or for the client to read them. */
const outputBytesMax = 8 * 1024 * 1024;

/** The server, as its connections see it. */
export interface ConnectionHost extends ServerView {
  readonly table: ReadonlyMap<string, Command>;
  /** True while the values in flight for all clients exceed their limit. */
  readonly isPressed: boolean;
  /** Adds to the bytes of unfinished requests of all clients. @returns whether they now exceed their limit. */
  holdRequestBytes(change: number): boolean;
  /** Called when the connection is closed. */
  forget(connection: Connection): void;
}

interface Slot {
  reply: Reply | undefined;
  /** Expected bytes of a reply from leased memory. */
  readonly expectedBytes: number;
  readonly protocol: Protocol;
}

export class Connection implements Session {
  readonly connectedAtMs = Date.now();
  readonly address: string;
  readonly localAddress: string;
  lastCommand = '';
  lastActiveMs = Date.now();
  name = '';
  protocol: Protocol = 2;
  isAuthenticated: boolean;
  replies: Session['replies'] = 'on';
  isLeaving = false;
  readonly #server: ConnectionHost;
  readonly #socket: Socket;
  readonly #parser = new RequestParser();
  readonly #writer = new ReplyWriter();
  #slots: Slot[] = [];
  #head = 0;
  /** Bytes of replies in slots, finished and expected. */
  #heldBytes = 0;
  #flushScheduled = false;
  #isBlocked = false;
  #waitsForRelief = false;
  #requestBytes = 0;
  /** The client sends nothing more; it may still read. */
  #hasEnded = false;

  constructor(
    server: ConnectionHost,
    socket: Socket,
    readonly id: number,
  ) {
    this.#server = server;
    this.#socket = socket;
    this.address = `${socket.remoteAddress ?? ''}:${socket.remotePort ?? 0}`;
    this.localAddress = `${socket.localAddress ?? ''}:${socket.localPort ?? 0}`;
    this.isAuthenticated = server.isOpen;
    this.#parser.isStranger = !server.isOpen;
    socket.setNoDelay(true);
    socket.on('data', (chunk: Buffer) => {
      this.lastActiveMs = Date.now();
      this.#parser.push(chunk);
      this.#run();
    });
    socket.on('end', () => {
      this.#hasEnded = true;
      this.#run();
    });
    socket.on('drain', () => this.#unblock());
    socket.on('error', () => socket.destroy());
    socket.on('close', () => {
      this.#countRequestBytes(0);
      server.forget(this);
    });
  }

  /** Closes the connection at once, without a reply. */
  close(): void {
    this.#socket.destroy();
  }

  #run(): void {
    while (!this.isLeaving && !this.#mustWait()) {
      const request = this.#nextRequest();
      if (request === undefined) break;
      this.#execute(request);
    }
    if (this.#hasEnded && !this.#isBlocked) this.isLeaving = true;
    this.#countRequestBytes(this.#parser.heldBytes);
    this.#flush();
    if (this.#isBlocked || this.isLeaving) this.#socket.pause();
    else this.#socket.resume();
  }

  #nextRequest(): Buffer[] | undefined {
    try {
      return this.#parser.next();
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      this.isLeaving = true;
      this.#answer(new ReplyError(`ERR Protocol error: ${error.message}`));
      return undefined;
    }
  }

  /** Whether the next request must wait. */
  #mustWait(): boolean {
    const isPressed = this.#server.isPressed;
    this.#isBlocked =
      isPressed ||
      this.#slots.length - this.#head >= slotsMax ||
      this.#heldBytes + this.#writer.bytes + this.#socket.writableLength > outputBytesMax;
    if (isPressed && !this.#waitsForRelief) {
      this.#waitsForRelief = true;
      this.#server.keyspace.onRelief(() => {
        this.#waitsForRelief = false;
        this.#unblock();
      });
    }
    return this.#isBlocked;
  }

  #unblock(): void {
    if (this.#isBlocked && !this.#socket.destroyed) this.#run();
  }

  #execute(request: readonly Buffer[]): void {
    const wasSkipped = this.replies === 'skip';
    this.#server.counts.commands++;
    const { loadBytes } = this.#server.keyspace;
    let reply: Reply | Promise<Reply>;
    try {
      const command = findCommand(this.#server.table, request);
      this.#checkAccess(command);
      this.lastCommand = command.name;
      reply = command.run(this.#server, request, this);
    } catch (error) {
      reply = this.#errorOf(error);
    }
    this.#parser.isStranger = !this.isAuthenticated;
    const isSilent = wasSkipped || this.replies === 'off' || this.replies === 'skip-next';
    if (this.replies === 'skip-next') this.replies = 'skip';
    else if (wasSkipped && this.replies === 'skip') this.replies = 'on';
    if (isSilent) void Promise.resolve(reply).catch(() => undefined);
    else this.#answer(reply, this.#server.keyspace.loadBytes - loadBytes);
  }

  #checkAccess(command: Command): void {
    if (!this.isAuthenticated && !command.flags.includes('no_auth')) {
      throw new ReplyError('NOAUTH Authentication required.');
    }
  }

  #errorOf(error: unknown): ReplyError {
    this.#server.counts.errors++;
    return error instanceof ReplyError ? error : new ReplyError(`ERR internal error: ${String(error)}`);
  }

  #answer(reply: Reply | Promise<Reply>, expectedBytes = 0): void {
    const { protocol } = this;
    if (!(reply instanceof Promise)) {
      if (this.#head === this.#slots.length) this.#writer.write(reply, protocol);
      else this.#hold({ reply, expectedBytes: sizeOf(reply), protocol });
      return;
    }
    const slot: Slot = { reply: undefined, expectedBytes, protocol };
    this.#hold(slot);
    reply.then(
      (value) => this.#settle(slot, value),
      (error: unknown) => this.#settle(slot, this.#errorOf(error)),
    );
  }

  #hold(slot: Slot): void {
    this.#slots.push(slot);
    this.#heldBytes += slot.expectedBytes;
  }

  #settle(slot: Slot, reply: Reply): void {
    slot.reply = reply;
    if (this.#slots[this.#head] !== slot || this.#socket.destroyed) return;
    for (let next: Slot | undefined = slot; next?.reply !== undefined; next = this.#slots[++this.#head]) {
      this.#heldBytes -= next.expectedBytes;
      this.#writer.write(next.reply, next.protocol);
    }
    if (this.#head === this.#slots.length) {
      this.#slots = [];
      this.#head = 0;
    } else if (this.#head >= slotsMax) {
      this.#slots = this.#slots.slice(this.#head);
      this.#head = 0;
    }
    if (this.#flushScheduled) return;
    this.#flushScheduled = true;
    // Flush once, after all replies of the same batch.
    process.nextTick(() => {
      this.#flushScheduled = false;
      if (this.#isBlocked) this.#unblock();
      else this.#flush();
    });
  }

  #flush(): void {
    const chunks = this.#writer.take();
    if (this.#socket.destroyed) return;
    if (chunks.length === 1) {
      this.#socket.write(chunks[0]!);
    } else if (chunks.length > 1) {
      this.#socket.cork();
      for (const chunk of chunks) this.#socket.write(chunk);
      this.#socket.uncork();
    }
    if (this.isLeaving && this.#slots.length === this.#head && !this.#socket.writableEnded) {
      this.#socket.end(() => this.#socket.destroy());
    }
  }

  /** Unfinished requests of all clients together are limited. A client that exceeds the limit is disconnected. */
  #countRequestBytes(bytes: number): void {
    const isTooMuch = this.#server.holdRequestBytes(bytes - this.#requestBytes);
    this.#requestBytes = bytes;
    if (!isTooMuch || bytes === 0) return;
    this.isLeaving = true;
    this.#answer(new ReplyError('ERR too many bytes of unfinished requests on this server; try again later'));
  }
}

/** Bytes that a reply holds. Only values and arrays of values count; other replies are small. */
function sizeOf(reply: Reply): number {
  if (Buffer.isBuffer(reply)) return reply.length;
  if (!Array.isArray(reply)) return 0;
  return (reply as Reply[]).reduce<number>((sum, each) => sum + (Buffer.isBuffer(each) ? each.length : 0), 0);
}
