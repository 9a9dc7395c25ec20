/**
 * A disk image with a fixed response time, for QEMU: an NBD server on a socket, with the part of the protocol that
 * QEMU's client needs (fixed newstyle handshake, simple replies).
 *
 * Emulated devices answer in some tens of microseconds of the host's time. An emulated processor needs about as long to
 * put the reader to sleep, so chance decides whether the reader sleeps, and what a read costs. Behind this server a
 * read takes 1 to 2 ms, so every reader sleeps, as with real devices.
 */
import { closeSync, openSync, readSync, writeSync } from 'node:fs';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { ByteQueue } from './byte-queue.js';

const magic = { server: 0x4e42444d41474943n, option: 0x49484156454f5054n, reply: 0x3e889045565a9n } as const;
const requestMagic = 0x25609513;
const replyMagic = 0x67446698;
/** Handshake flags: fixed newstyle, and no zeroes after the handshake. */
const handshakeFlags = 3;
/** Transmission flags: flags are present, and the server accepts flushes. */
const exportFlags = 5;
const option = { abort: 2, go: 7 } as const;
const optionReply = { acknowledged: 1, info: 3, unsupported: 0x80000001 } as const;
const command = { read: 0, write: 1, disconnect: 2, flush: 3 } as const;
const errorInvalid = 22;
/** Largest request that the protocol allows by default. */
const requestBytesMax = 32 << 20;
/** Data of an option: a name of at most 4 KiB and a few numbers. */
const optionBytesMax = 8192;
const optionHeaderBytes = 16;
const requestHeaderBytes = 28;

export interface SlowDiskOptions {
  /** The image. The server reads and writes it. */
  readonly file: string;
  readonly bytes: number;
  readonly socket: string;
  /** Least milliseconds from a read's arrival to its answer. Timers add up to one more. */
  readonly readMs: number;
}

export class SlowDisk {
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly fd: number,
  ) {
    server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
      socket.on('error', () => socket.destroy());
    });
  }

  static async start(options: SlowDiskOptions): Promise<SlowDisk> {
    const fd = openSync(options.file, 'r+');
    const server = createServer((socket) => new Session(socket, fd, options));
    const disk = new SlowDisk(server, fd);
    server.listen(options.socket);
    await once(server, 'listening');
    return disk;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
    closeSync(this.fd);
  }
}

/** One connection. Bytes that violate the protocol end it. */
class Session {
  readonly #received = new ByteQueue();
  #state: 'flags' | 'options' | 'requests' = 'flags';

  constructor(
    private readonly socket: Socket,
    private readonly fd: number,
    private readonly options: SlowDiskOptions,
  ) {
    const hello = Buffer.alloc(18);
    hello.writeBigUInt64BE(magic.server, 0);
    hello.writeBigUInt64BE(magic.option, 8);
    hello.writeUInt16BE(handshakeFlags, 16);
    socket.write(hello);
    socket.on('data', (bytes) => {
      this.#received.push(bytes);
      while (!socket.destroyed && this.#step());
    });
  }

  /** @returns whether there may be another message to handle. */
  #step(): boolean {
    switch (this.#state) {
      case 'flags':
        if (this.#received.take(4) === undefined) return false;
        this.#state = 'options';
        return true;
      case 'options':
        return this.#option();
      case 'requests':
        return this.#request();
    }
  }

  #option(): boolean {
    const head = this.#received.peek(optionHeaderBytes);
    if (head === undefined) return false;
    const [kind, length] = [head.readUInt32BE(8), head.readUInt32BE(12)];
    if (head.readBigUInt64BE(0) !== magic.option || length > optionBytesMax) return this.#end();
    if (this.#received.take(optionHeaderBytes + length) === undefined) return false;
    if (kind === option.abort) return this.#end();
    if (kind !== option.go) return this.#answerOption(kind, optionReply.unsupported);
    const info = Buffer.alloc(12);
    info.writeBigUInt64BE(BigInt(this.options.bytes), 2);
    info.writeUInt16BE(exportFlags, 10);
    this.#answerOption(kind, optionReply.info, info);
    this.#state = 'requests';
    return this.#answerOption(kind, optionReply.acknowledged);
  }

  #answerOption(kind: number, reply: number, data = Buffer.alloc(0)): true {
    const head = Buffer.alloc(20);
    head.writeBigUInt64BE(magic.reply, 0);
    head.writeUInt32BE(kind, 8);
    head.writeUInt32BE(reply, 12);
    head.writeUInt32BE(data.length, 16);
    this.socket.write(Buffer.concat([head, data]));
    return true;
  }

  #request(): boolean {
    const head = this.#received.peek(requestHeaderBytes);
    if (head === undefined) return false;
    const [kind, length] = [head.readUInt16BE(6), head.readUInt32BE(24)];
    const offset = Number(head.readBigUInt64BE(16));
    if (head.readUInt32BE(0) !== requestMagic || length > requestBytesMax) return this.#end();
    const dataBytes = kind === command.write ? length : 0;
    const whole = this.#received.take(requestHeaderBytes + dataBytes);
    if (whole === undefined) return false;
    const handle = head.readBigUInt64BE(8);
    const isInside = offset + length <= this.options.bytes;
    if (kind === command.disconnect) return this.#end();
    if (kind === command.read && isInside) return this.#read(handle, offset, length);
    if (kind === command.write && isInside) {
      writeSync(this.fd, whole, requestHeaderBytes, length, offset);
      return this.#answer(handle, 0);
    }
    return this.#answer(handle, kind === command.flush ? 0 : errorInvalid);
  }

  #read(handle: bigint, offset: number, length: number): true {
    const data = Buffer.alloc(length);
    readSync(this.fd, data, 0, length, offset);
    setTimeout(() => this.#answer(handle, 0, data), this.options.readMs);
    return true;
  }

  #answer(handle: bigint, error: number, data = Buffer.alloc(0)): true {
    if (this.socket.destroyed) return true;
    const head = Buffer.alloc(16);
    head.writeUInt32BE(replyMagic, 0);
    head.writeUInt32BE(error, 4);
    head.writeBigUInt64BE(handle, 8);
    this.socket.write(Buffer.concat([head, data]));
    return true;
  }

  #end(): false {
    this.socket.destroy();
    return false;
  }
}
