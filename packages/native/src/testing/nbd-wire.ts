/** For tests: an NBD client of fixed newstyle and simple replies, and a producer in between that lies. */
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

const command = { read: 0, write: 1, disconnect: 2, flush: 3, trim: 4, zero: 6 } as const;
const forceUnitAccess = 1;

/** Answers come in any order. */
export class NbdClient {
  readonly socket: Socket;
  sizeBytes = 0;
  readonly #waiting = new Map<number, { length: number; done: (result: Buffer | Error) => void }>();
  #received = Buffer.alloc(0);
  #nextHandle = 1;
  #onGreeting: (() => void) | undefined;

  private constructor(socket: Socket) {
    this.socket = socket;
    socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
      if (this.#onGreeting === undefined) this.#takeReplies();
      else this.#onGreeting();
    });
    const fail = (): void => {
      for (const { done } of this.#waiting.values()) done(new Error('the connection is closed'));
      this.#waiting.clear();
    };
    socket.on('error', fail).on('close', fail);
  }

  static async connect(path: string): Promise<NbdClient> {
    const socket = connect(path);
    await once(socket, 'connect');
    const client = new NbdClient(socket);
    await client.#take(18);
    const option = Buffer.alloc(20);
    option.writeUInt32BE(3, 0); // fixed newstyle, no zeroes
    option.write('IHAVEOPT', 4);
    option.writeUInt32BE(1, 12); // NBD_OPT_EXPORT_NAME, the default export
    socket.write(option);
    client.sizeBytes = Number((await client.#take(10)).readBigUInt64BE(0));
    client.#onGreeting = undefined;
    return client;
  }

  read(offset: number, length: number): Promise<Buffer> {
    return this.#ask(command.read, offset, length);
  }

  async write(offset: number, data: Buffer, options: { fua?: boolean } = {}): Promise<void> {
    await this.#ask(command.write, offset, data.length, data, options.fua === true ? forceUnitAccess : 0);
  }

  async trim(offset: number, length: number): Promise<void> {
    await this.#ask(command.trim, offset, length);
  }

  async zero(offset: number, length: number): Promise<void> {
    await this.#ask(command.zero, offset, length);
  }

  async flush(): Promise<void> {
    await this.#ask(command.flush, 0, 0);
  }

  async close(): Promise<void> {
    if (this.socket.closed) return;
    this.socket.end(request(command.disconnect, 0, 0, 0));
    await once(this.socket, 'close');
  }

  async #take(bytes: number): Promise<Buffer> {
    while (this.#received.length < bytes) await new Promise<void>((resolve) => (this.#onGreeting = resolve));
    const taken = this.#received.subarray(0, bytes);
    this.#received = this.#received.subarray(bytes);
    return taken;
  }

  #ask(type: number, offset: number, length: number, data?: Buffer, flags = 0): Promise<Buffer> {
    const handle = this.#nextHandle++;
    return new Promise((resolve, reject) => {
      this.#waiting.set(handle, {
        length: type === command.read ? length : 0,
        done: (result) => (Buffer.isBuffer(result) ? resolve(result) : reject(result)),
      });
      this.socket.write(request(type, handle, offset, length, flags));
      if (data !== undefined) this.socket.write(data);
    });
  }

  #takeReplies(): void {
    while (this.#received.length >= 16) {
      const error = this.#received.readUInt32BE(4);
      const handle = Number(this.#received.readBigUInt64BE(8));
      const { length, done } = this.#waiting.get(handle)!;
      const end = 16 + (error === 0 ? length : 0);
      if (this.#received.length < end) return;
      const data = Buffer.from(this.#received.subarray(16, end));
      this.#received = this.#received.subarray(end);
      this.#waiting.delete(handle);
      done(error === 0 ? data : new Error(`errno ${error}`));
    }
  }
}

function request(type: number, handle: number, offset: number, length: number, flags = 0): Buffer {
  const header = Buffer.alloc(28);
  header.writeUInt32BE(0x25609513, 0);
  header.writeUInt16BE(flags, 4);
  header.writeUInt16BE(type, 6);
  header.writeBigUInt64BE(BigInt(handle), 8);
  header.writeBigUInt64BE(BigInt(offset), 16);
  header.writeUInt32BE(length, 24);
  return header;
}

const handshakeBytes = 104 + 48;
const frameHeaderBytes = 48;

/**
 * A producer that lies: passes everything on, but for the bytes that it was asked to read, which `lie` may change or
 * exchange. Headers carry a MAC, the bytes after them do not.
 */
export async function lyingProducer(port: number, lie: (payload: Buffer) => Buffer): Promise<Server> {
  const server = createServer((consumer) => {
    const producer = connect(port, '127.0.0.1');
    consumer.pipe(producer);
    consumer.on('error', () => producer.destroy());
    producer.on('error', () => consumer.destroy()).on('close', () => consumer.destroy());
    let received = Buffer.alloc(0);
    let toShake = handshakeBytes;
    producer.on('data', (data) => {
      const greeting = data.subarray(0, toShake);
      toShake -= greeting.length;
      if (greeting.length > 0) consumer.write(greeting);
      received = Buffer.concat([received, data.subarray(greeting.length)]);
      while (received.length >= frameHeaderBytes) {
        const end = frameHeaderBytes + received.readUInt32LE(20);
        if (received.length < end) return;
        const payload = Buffer.from(received.subarray(frameHeaderBytes, end));
        const isRead = received.readUInt8(0) === 1;
        consumer.write(received.subarray(0, frameHeaderBytes));
        consumer.write(isRead && payload.length > 0 ? lie(payload) : payload);
        received = received.subarray(end);
      }
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return server;
}

export const portOf = (server: Server): number => (server.address() as AddressInfo).port;
