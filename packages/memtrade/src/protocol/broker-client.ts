/**
 * The broker's client: for producers, consumers and whoever watches the market.
 *
 * It logs in by itself, and again when a restarted broker has forgotten it. Every call has a deadline; whatever goes
 * wrong is an {@link ExopoolError} with the code that the broker threw, or one that says why it cannot be reached.
 */
import { readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import {
  credentials,
  Metadata,
  type CallOptions,
  type requestCallback,
  type ServiceError,
} from '@grpc/grpc-js';
import { ExopoolError, parseEndpoint, toExopoolError, type Identity } from '@exopool/shared';
import { replyMessageBytesMax } from './limits.js';
import type { BrokerClient as Stub } from './generated/exopool/broker/v1/Broker.js';
import type { ChallengeReply__Output } from './generated/exopool/broker/v1/ChallengeReply.js';
import type { ExtendLeaseReply__Output } from './generated/exopool/broker/v1/ExtendLeaseReply.js';
import type { Lease__Output } from './generated/exopool/broker/v1/Lease.js';
import type { LoginReply__Output } from './generated/exopool/broker/v1/LoginReply.js';
import type { Market__Output } from './generated/exopool/broker/v1/Market.js';
import type { RegisterProducerReply__Output } from './generated/exopool/broker/v1/RegisterProducerReply.js';
import type { ReleaseLeaseReply__Output } from './generated/exopool/broker/v1/ReleaseLeaseReply.js';
import type { ReportUsageReply__Output } from './generated/exopool/broker/v1/ReportUsageReply.js';
import type { RequestLeaseReply__Output } from './generated/exopool/broker/v1/RequestLeaseReply.js';
import { BrokerService } from './load-proto.js';
import { loginMessage } from './login.js';
import { fromServiceError, isUnauthenticated } from './rpc-errors.js';
import { ticketSerial } from './ticket.js';

export interface BrokerClientOptions {
  /** HOST:PORT. */
  readonly endpoint: string;
  /** The broker's `ca.pem`. */
  readonly caFile: string;
  readonly identity: Identity;
  /** Deadline of each call; default 5 000. */
  readonly timeoutMs?: number;
}

/** What a consumer asks for. */
export interface LeaseWish {
  readonly slabs: number;
  /** Fewer than this are refused; default 1. */
  readonly minimumSlabs?: number;
  readonly seconds: number;
  /** US dollars per GiB and hour; default any. */
  readonly maxPrice?: number;
  /** A retry with the same id gets the same leases; without one, every call is a new request. */
  readonly requestId?: string;
}

/** A lease of slabs of one producer. `price` is in US dollars per GiB and hour, `charged` in US dollars so far. */
export type LeaseGrant = Readonly<Lease__Output>;

/** The market at one moment; money in US dollars. */
export type Market = Readonly<Market__Output>;

const defaultTimeoutMs = 5000;
/** A broker that restarts is found again soon, and is not hammered while it is away. */
const reconnectMsMin = 100;
const reconnectMsMax = 2000;
/**
 * A call that waits for so much of its time has the connection asked whether it is still there; without an answer in the
 * time of a call it is given up. A dead machine or a firewall says nothing, and TCP waits for a quarter of an hour.
 */
const doubtShare = 1 / 3;

/** Starts one call of the stub, with the last three of its arguments. */
type Start<Reply> = (...rest: [Metadata, CallOptions, requestCallback<Reply>]) => unknown;

interface Session {
  readonly token: string;
  readonly brokerKey: Buffer;
}

export class BrokerClient {
  readonly #options: BrokerClientOptions;
  readonly #stub: Stub;
  /** The login that holds or is under way; `undefined` when the next call must log in. */
  #session: Promise<Session> | undefined;
  #brokerKey: Buffer = Buffer.alloc(0);
  #isClosed = false;

  /**
   * Connects and logs in.
   * @throws ExopoolError `EXOPOOL_UNAVAILABLE` (nobody there), `EXOPOOL_DENIED` (another CA, or refused),
   *   `EXOPOOL_TIMEOUT`, `EXOPOOL_NOT_FOUND` (no CA file).
   */
  static async connect(options: BrokerClientOptions): Promise<BrokerClient> {
    const client = new BrokerClient(options);
    try {
      await client.#loggedIn();
      return client;
    } catch (error) {
      client.close();
      throw error;
    }
  }

  private constructor(options: BrokerClientOptions) {
    this.#options = options;
    const { host } = parseEndpoint(options.endpoint);
    const timeoutMs = options.timeoutMs ?? defaultTimeoutMs;
    this.#stub = new BrokerService(options.endpoint, credentials.createSsl(readAuthority(options.caFile)), {
      'grpc.initial_reconnect_backoff_ms': reconnectMsMin,
      'grpc.max_reconnect_backoff_ms': reconnectMsMax,
      'grpc.keepalive_time_ms': timeoutMs * doubtShare,
      'grpc.keepalive_timeout_ms': timeoutMs,
      'grpc.max_receive_message_length': replyMessageBytesMax,
      // Its own connection: what one client does to it must not be seen by another.
      'grpc.use_local_subchannel_pool': 1,
      // TLS has no server names that are addresses. The CA signs nothing but this broker, always as localhost too.
      ...(isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'localhost' }),
    });
  }

  /** The public key that signs tickets, as of the last login. */
  get brokerKey(): Buffer {
    return this.#brokerKey;
  }

  /** @param endpoint HOST:PORT of the slab server, as consumers reach it. */
  async registerProducer(registration: {
    readonly endpoint: string;
    readonly slabBytes: number;
  }): Promise<void> {
    await this.#call<RegisterProducerReply__Output>((...rest) =>
      this.#stub.registerProducer(registration, ...rest),
    );
  }

  /** @returns the slabs leased at this producer, and ids of leases given back that it should serve no longer. */
  async reportUsage(report: {
    readonly offeredSlabs: number;
    readonly harvestedBytes: number;
    readonly cpuLoad: number;
  }): Promise<{ readonly leasedSlabs: number; readonly released: readonly Buffer[] }> {
    return this.#call<ReportUsageReply__Output>((...rest) => this.#stub.reportUsage(report, ...rest));
  }

  /** @throws ExopoolError `EXOPOOL_NO_MEMORY` when less than the minimum is free, or the price is too high. */
  async requestLease(wish: LeaseWish): Promise<LeaseGrant[]> {
    const request = { minimumSlabs: 1, maxPrice: 0, requestId: '', ...wish };
    const reply = await this.#call<RequestLeaseReply__Output>((...rest) =>
      this.#stub.requestLease(request, ...rest),
    );
    return reply.leases;
  }

  /**
   * Moves a lease's end by `seconds`. A retry with the same ticket extends once.
   * @returns the lease with a new ticket, to be shown to the producer.
   */
  async extendLease(
    lease: Pick<LeaseGrant, 'leaseId' | 'ticket'>,
    seconds: number,
    maxPrice = 0,
  ): Promise<LeaseGrant> {
    const request = { leaseId: lease.leaseId, seconds, maxPrice, serial: ticketSerial(lease.ticket) };
    const reply = await this.#call<ExtendLeaseReply__Output>((...rest) =>
      this.#stub.extendLease(request, ...rest),
    );
    if (reply.lease !== null) return reply.lease;
    throw new ExopoolError('EXOPOOL_PROTOCOL', 'the broker extended a lease and did not say which');
  }

  /** @returns US dollars refunded for the time not used. */
  async releaseLease(leaseId: Buffer, { tampered = false } = {}): Promise<number> {
    const reply = await this.#call<ReleaseLeaseReply__Output>((...rest) =>
      this.#stub.releaseLease({ leaseId, tampered }, ...rest),
    );
    return reply.refunded;
  }

  getMarket(): Promise<Market> {
    return this.#call<Market__Output>((...rest) => this.#stub.getMarket({}, ...rest));
  }

  /** The market once a second. Leaving the loop ends the stream; a broker that goes away ends it with an error. */
  async *watchMarket(): AsyncIterable<Market> {
    for (let attempt = 0; ; attempt += 1) {
      const session = this.#loggedIn();
      const stream = this.#stub.watchMarket({}, withToken((await session).token));
      try {
        for await (const market of stream) yield market as Market;
        return;
      } catch (error) {
        if (!isUnauthenticated(error) || attempt > 0) throw this.#asError(error);
        this.#forget(session);
      } finally {
        stream.cancel();
      }
    }
  }

  /** Idempotent; calls in flight end with `EXOPOOL_ABORTED`. */
  close(): void {
    this.#isClosed = true;
    this.#stub.close();
  }

  async #call<Reply>(start: Start<Reply>): Promise<Reply> {
    const session = this.#loggedIn();
    const { token } = await session;
    try {
      return await this.#once(withToken(token), start);
    } catch (error) {
      if (!isUnauthenticated((error as Error).cause)) throw error;
      this.#forget(session);
      return this.#once(withToken((await this.#loggedIn()).token), start);
    }
  }

  /** All calls share one login, also when it turns out that they need another. */
  #loggedIn(): Promise<Session> {
    if (this.#session !== undefined) return this.#session;
    const session = this.#login();
    this.#session = session;
    session.catch(() => this.#forget(session));
    return session;
  }

  #forget(session: Promise<Session>): void {
    if (this.#session === session) this.#session = undefined;
  }

  async #login(): Promise<Session> {
    const { publicKey } = this.#options.identity;
    const none = new Metadata();
    const { nonce } = await this.#once<ChallengeReply__Output>(none, (...rest) =>
      this.#stub.challenge({ publicKey }, ...rest),
    );
    const signature = this.#options.identity.sign(loginMessage(nonce));
    const session = await this.#once<LoginReply__Output>(none, (...rest) =>
      this.#stub.login({ publicKey, nonce, signature }, ...rest),
    );
    this.#brokerKey = session.brokerKey;
    return session;
  }

  #once<Reply>(metadata: Metadata, start: Start<Reply>): Promise<Reply> {
    if (this.#isClosed) {
      return Promise.reject(
        new ExopoolError('EXOPOOL_CLOSED', "the broker's client was closed before the call"),
      );
    }
    const deadline = Date.now() + (this.#options.timeoutMs ?? defaultTimeoutMs);
    return new Promise((resolve, reject) => {
      start(metadata, { deadline }, (error, reply) => {
        if (error !== null) reject(this.#asError(error));
        else resolve(reply!);
      });
    });
  }

  #asError(error: unknown): ExopoolError {
    return fromServiceError(error as ServiceError, this.#options.endpoint, this.#options.caFile);
  }
}

function withToken(token: string): Metadata {
  const metadata = new Metadata();
  metadata.set('exopool-token', token);
  return metadata;
}

function readAuthority(caFile: string): Buffer {
  try {
    return readFileSync(caFile);
  } catch (error) {
    throw toExopoolError(error, "cannot read the broker's CA certificate (give the ca.pem of the broker)");
  }
}
