/**
 * The broker's client, for producers, consumers and monitors of the market.
 *
 * It logs in by itself, and again after the broker restarted. Every call has a deadline. A failure is an
 * {@link ExopoolError} with the code that the broker threw, or with a code for the reason why it cannot be reached.
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

/** How to reach a broker. */
export interface BrokerClientOptions {
  /** HOST:PORT of the broker. */
  readonly endpoint: string;
  /** The broker's CA certificate, `tls/ca.pem` of its state folder. */
  readonly caFile: string;
  /** The key by which the broker knows this client. */
  readonly identity: Identity;
  /** Deadline of each call; default 5000. */
  readonly timeoutMs?: number;
}

/** A consumer's request for leases. */
export interface LeaseWish {
  readonly slabs: number;
  /** The broker refuses rather than lease fewer slabs; default 1. */
  readonly minimumSlabs?: number;
  readonly seconds: number;
  /** Highest price in US dollars per GiB and hour; no limit by default. */
  readonly maxPrice?: number;
  /** Makes the request idempotent: a retry with the same id gets the same leases. */
  readonly requestId?: string;
}

/** A lease of slabs of one producer. `price` is in US dollars per GiB and hour, `charged` in US dollars so far. */
export type LeaseGrant = Readonly<Lease__Output>;

/** The market at one moment. Prices are in US dollars per GiB and hour. */
export type Market = Readonly<Market__Output>;

const defaultTimeoutMs = 5000;
/** Backoff of reconnections: short enough to find a restarted broker soon, long enough not to load it. */
const reconnectMsMin = 100;
const reconnectMsMax = 2000;
/**
 * The interval of keep-alive pings, as a share of a call's deadline. A connection that does not answer a ping within a
 * deadline is closed. A dead machine or a firewall sends nothing, and TCP itself would wait for 15 minutes.
 */
const keepAliveShare = 1 / 3;

/** Starts one call of the stub with the last three of its arguments. */
type Start<Reply> = (...rest: [Metadata, CallOptions, requestCallback<Reply>]) => unknown;

interface Session {
  readonly token: string;
  readonly brokerKey: Buffer;
}

/**
 * A connection to a broker: registers producers, requests, extends and releases leases, and reads the market.
 *
 * @example
 * const client = await BrokerClient.connect({ endpoint: broker.endpoint, caFile: broker.caFile, identity: new Identity() });
 * const [lease] = await client.requestLease({ slabs: 1, seconds: 60 });
 * if (lease) await client.releaseLease(lease.leaseId);
 * client.close();
 */
export class BrokerClient {
  readonly #options: BrokerClientOptions;
  readonly #stub: Stub;
  /** The current login, perhaps in flight; `undefined` when the next call must log in. */
  #session: Promise<Session> | undefined;
  #brokerKey: Buffer = Buffer.alloc(0);
  #isClosed = false;

  /**
   * Connects and logs in.
   * @throws ExopoolError `EXOPOOL_UNAVAILABLE` (nobody listens), `EXOPOOL_DENIED` (another CA, or refused),
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
      'grpc.keepalive_time_ms': timeoutMs * keepAliveShare,
      'grpc.keepalive_timeout_ms': timeoutMs,
      'grpc.max_receive_message_length': replyMessageBytesMax,
      // A connection of its own, so that clients do not affect each other.
      'grpc.use_local_subchannel_pool': 1,
      // TLS allows no IP address as server name. The CA signs only this broker's certificate, which names localhost too.
      ...(isIP(host) === 0 ? {} : { 'grpc.ssl_target_name_override': 'localhost' }),
    });
  }

  /** The public key that verifies tickets, as of the last login. */
  get brokerKey(): Buffer {
    return this.#brokerKey;
  }

  /**
   * Registers the caller as a producer. Idempotent.
   * @param registration its `endpoint` is the HOST:PORT at which consumers reach the slab server.
   * @throws ExopoolError `EXOPOOL_INVALID` for another size of slabs, `EXOPOOL_DENIED` when the market is full.
   */
  async registerProducer(registration: {
    readonly endpoint: string;
    readonly slabBytes: number;
  }): Promise<void> {
    await this.#call<RegisterProducerReply__Output>((...rest) =>
      this.#stub.registerProducer(registration, ...rest),
    );
  }

  /**
   * Reports what the producer offers. A producer must report at least every 5 s to get leases.
   * @returns the slabs leased from this producer, and the ids of leases that were given back.
   */
  async reportUsage(report: {
    readonly offeredSlabs: number;
    readonly harvestedBytes: number;
    readonly cpuLoad: number;
  }): Promise<{ readonly leasedSlabs: number; readonly released: readonly Buffer[] }> {
    return this.#call<ReportUsageReply__Output>((...rest) => this.#stub.reportUsage(report, ...rest));
  }

  /**
   * Requests leases of slabs, one lease for each producer that gives some.
   * @throws ExopoolError `EXOPOOL_NO_MEMORY` when fewer slabs than the minimum are free, or the price is too high.
   */
  async requestLease(wish: LeaseWish): Promise<LeaseGrant[]> {
    const request = { minimumSlabs: 1, maxPrice: 0, requestId: '', ...wish };
    const reply = await this.#call<RequestLeaseReply__Output>((...rest) =>
      this.#stub.requestLease(request, ...rest),
    );
    return reply.leases;
  }

  /**
   * Extends a lease by `seconds`. Idempotent: a retry with the same ticket extends once.
   * @param maxPrice US dollars per GiB and hour; 0 for no limit.
   * @returns the lease with a new ticket, which the consumer must show to the producer.
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
    throw new ExopoolError(
      'EXOPOOL_PROTOCOL',
      "the broker's reply to ExtendLease has no lease: update the broker",
    );
  }

  /**
   * Gives a lease back. Idempotent.
   * @param options `tampered` tells the broker that the producer changed values.
   * @returns the refund for the unused time, in US dollars.
   */
  async releaseLease(leaseId: Buffer, { tampered = false } = {}): Promise<number> {
    const reply = await this.#call<ReleaseLeaseReply__Output>((...rest) =>
      this.#stub.releaseLease({ leaseId, tampered }, ...rest),
    );
    return reply.refunded;
  }

  /** Reads the market once. */
  getMarket(): Promise<Market> {
    return this.#call<Market__Output>((...rest) => this.#stub.getMarket({}, ...rest));
  }

  /** Reads the market once a second. Leaving the loop ends the stream; the loss of the broker ends it with an error. */
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

  /** Closes the connection. Calls in flight end with `EXOPOOL_ABORTED`. Idempotent. */
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

  /** All calls share one login, also the next one after a login expired. */
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
        new ExopoolError('EXOPOOL_CLOSED', 'this broker client is closed: connect a new one'),
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
    throw toExopoolError(
      error,
      "cannot read the broker's CA certificate: give tls/ca.pem of its state folder",
    );
  }
}
