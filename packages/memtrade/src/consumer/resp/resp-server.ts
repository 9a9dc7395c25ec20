/**
 * Leased memory for any client of Redis: listens, and keeps what all connections share.
 *
 * It is a cache. A value whose memory was lost is a miss, as if it had been evicted; nothing else differs from a
 * server with a `maxmemory-policy` for the commands that it knows. Others are unknown commands.
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

/** A connection costs a socket and some 40 KiB of buffers. */
export const clientsMaxDefault = 1000;
/** Values on their way to leased memory and back. Clients are not read from while there are more. */
const loadBytesMax = 256 * 1024 * 1024;
/** Requests that are received in part, of all clients. */
const requestBytesMax = 512 * 1024 * 1024;
/** A peer that does not finish its handshake holds a connection no longer. */
const handshakeTimeoutMs = 10_000;
/** Silence after which a client is asked whether it is still there, as Redis does: one that is not would hold a place. */
const keepAliveMs = 300_000;

export interface RespServerOptions {
  readonly tier: CacheTier;
  /** Default 127.0.0.1. */
  readonly host?: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** What clients give with AUTH; none when left out. */
  readonly password?: string | undefined;
  /** `ca` makes it ask clients for a certificate too. */
  readonly tls?: Pick<TlsOptions, 'cert' | 'key' | 'ca'> | undefined;
  readonly clientsMax?: number;
  /** More lines for INFO, "name:value". */
  readonly describeMemory?: () => readonly string[];
  /** Sees what is asked for. */
  readonly demand?: DemandSampler | undefined;
}

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
    // Half-open: whoever sends its requests and the end of them at once (`printf … | nc`) gets the replies all the same.
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
    // A handshake that fails is the peer's trouble.
    this.#server.on('tlsClientError', (_: Error, socket: Socket) => socket.destroy());
  }

  /** @throws ExopoolError `EXOPOOL_PORT_IN_USE`, `EXOPOOL_CONFIG` for a certificate that does not fit its key. */
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

  /** Too much is on its way. */
  get isPressed(): boolean {
    return this.keyspace.loadBytes > loadBytesMax;
  }

  sessions(): Iterable<Connection> {
    return this.#connections;
  }

  passwordMatches(password: Buffer): boolean {
    return timingSafeEqual(hashOf(password), this.#passwordHash);
  }

  /** @returns whether it is too much now. */
  holdRequestBytes(change: number): boolean {
    this.#requestBytes += change;
    return change > 0 && this.#requestBytes > requestBytesMax;
  }

  forget(connection: Connection): void {
    this.#connections.delete(connection);
  }

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
