/**
 * A server for Redis clients over leased memory: listens, and holds the state that all connections share.
 *
 * For the commands that it knows it behaves like Redis with a `maxmemory-policy`: a value in lost memory is a miss, as if
 * it had been evicted. Other commands are unknown commands.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';
import { toExopoolError, type CacheTier } from '@exopool/shared';
import type { DemandSampler } from '../demand-sampler.js';
import { Keyspace } from '../keyspace/keyspace.js';
import type { Command } from './command-table.js';
import { Connection, type ConnectionHost } from './connection.js';
import { connectionCommands } from './connection-commands.js';
import { keyCommands } from './key-commands.js';
import { valueBytesMax } from './request-parser.js';
import { commandTable } from './server-commands.js';
import { stringCommands } from './string-commands.js';

/** Each connection costs a socket and about 40 KiB of buffers. */
export const clientsMaxDefault = 1000;
/** Bytes of values in flight to and from leased memory. Above this, the server stops reading from clients. */
const loadBytesMax = 256 * 1024 * 1024;
/** Bytes of unfinished requests of all clients. */
const requestBytesMax = 512 * 1024 * 1024;
/** A peer must finish its TLS handshake in this time. */
const handshakeTimeoutMs = 10_000;
/** TCP keep-alive interval, as in Redis: a dead client must not hold a connection for ever. */
const keepAliveMs = 300_000;

/** Options of a {@link RespServer}. */
export interface RespServerOptions {
  readonly tier: CacheTier;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 chooses a free port. */
  readonly port: number;
  /** The password for AUTH. Without one, every client is accepted. */
  readonly password?: string | undefined;
  /** With `ca`, clients must present a certificate. */
  readonly tls?: Pick<TlsOptions, 'cert' | 'key' | 'ca'> | undefined;
  readonly clientsMax?: number;
  /** Additional lines for INFO, each "name:value". */
  readonly describeMemory?: () => readonly string[];
  /** Observes the requests. */
  readonly demand?: DemandSampler | undefined;
}

/**
 * Serves a cache tier to Redis clients (RESP2 and RESP3).
 *
 * @example
 * const server = await RespServer.listen({ tier: memory.tier, port: 6380 });
 * // redis-cli -p 6380 set key value
 * await server.close();
 */
export class RespServer implements ConnectionHost {
  readonly keyspace: Keyspace;
  readonly startedAtMs = Date.now();
  readonly clientsMax: number;
  readonly counts = { connections: 0, commands: 0, rejected: 0, errors: 0 };
  readonly settings: Readonly<Record<string, string>>;
  readonly table: ReadonlyMap<string, Command>;
  readonly isOpen: boolean;
  readonly describeMemory: () => readonly string[];
  readonly #server: Server;
  readonly #passwordHash: Buffer;
  readonly #connections = new Set<Connection>();
  #nextId = 1;
  #requestBytes = 0;

  private constructor(options: RespServerOptions) {
    const { tier, password, tls, demand } = options;
    this.keyspace = new Keyspace(tier, { demand });
    this.clientsMax = options.clientsMax ?? clientsMaxDefault;
    this.isOpen = password === undefined;
    this.#passwordHash = hashOf(password ?? '');
    this.describeMemory = options.describeMemory ?? (() => []);
    this.table = commandTable([...stringCommands, ...keyCommands, ...connectionCommands]);
    this.settings = {
      appendonly: 'no',
      databases: '1',
      maxclients: String(this.clientsMax),
      maxmemory: '0',
      'maxmemory-policy': 'allkeys-lru',
      'proto-max-bulk-len': String(valueBytesMax),
      save: '',
      timeout: '0',
    };
    const accept = (socket: Socket): void => this.#accept(socket);
    // Half-open, so that a client that closes its side after its requests (`printf … | nc`) gets all replies.
    const sockets = { allowHalfOpen: true, keepAlive: true, keepAliveInitialDelay: keepAliveMs };
    this.#server =
      tls === undefined
        ? createServer(sockets, accept)
        : createTlsServer(
            {
              ...tls,
              ...sockets,
              handshakeTimeout: handshakeTimeoutMs,
              ...(tls.ca ? { requestCert: true } : {}),
            },
            accept,
          );
    // A failed handshake concerns only the peer.
    this.#server.on('tlsClientError', (_: Error, socket: Socket) => socket.destroy());
  }

  /**
   * Starts a server.
   * @throws ExopoolError `EXOPOOL_PORT_IN_USE`, `EXOPOOL_CONFIG` for a certificate that does not fit its key.
   */
  static async listen(options: RespServerOptions): Promise<RespServer> {
    const host = options.host ?? '127.0.0.1';
    const server = new RespServer(options);
    server.#server.listen({ host, port: options.port });
    try {
      await once(server.#server, 'listening');
    } catch (error) {
      server.keyspace.close();
      throw toExopoolError(error, `cannot serve Redis clients on ${host}:${options.port}`);
    }
    return server;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo | null)?.port ?? 0;
  }

  /** True while too many bytes are in flight to and from leased memory. */
  get isPressed(): boolean {
    return this.keyspace.loadBytes > loadBytesMax;
  }

  sessions(): Iterable<Connection> {
    return this.#connections;
  }

  passwordMatches(password: Buffer): boolean {
    return timingSafeEqual(hashOf(password), this.#passwordHash);
  }

  /** Adds to the bytes of unfinished requests. @returns whether they exceed their limit. */
  holdRequestBytes(change: number): boolean {
    this.#requestBytes += change;
    return change > 0 && this.#requestBytes > requestBytesMax;
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

  /** Closes all connections and stops listening. The tier stays open. */
  async close(): Promise<void> {
    const closed = once(this.#server, 'close');
    this.#server.close();
    for (const connection of this.#connections) connection.close();
    await closed;
    this.keyspace.close();
  }

  #accept(socket: Socket): void {
    if (this.#connections.size >= this.clientsMax) {
      this.counts.rejected++;
      socket.on('error', () => socket.destroy());
      socket.end('-ERR max number of clients reached\r\n', () => socket.destroy());
      return;
    }
    this.counts.connections++;
    this.#connections.add(new Connection(this, socket, this.#nextId++));
  }
}

function hashOf(password: string | Buffer): Buffer {
  return createHash('sha256').update(password).digest();
}
