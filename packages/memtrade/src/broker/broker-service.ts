/** The gRPC methods: each finds the caller, checks the message against its limits, and calls the market. */
import type {
  handleServerStreamingCall,
  handleUnaryCall,
  Metadata,
  ServerWritableStream,
} from '@grpc/grpc-js';
import { ExopoolError, signatureBytes, type ErrorCode } from '@exopool/shared';
import { watchersMax, watchersPerIdentityMax, watchIntervalMs } from '../protocol/limits.js';
import type { BrokerHandlers } from '../protocol/generated/exopool/broker/v1/Broker.js';
import type { Lease } from '../protocol/generated/exopool/broker/v1/Lease.js';
import type { Market } from '../protocol/generated/exopool/broker/v1/Market.js';
import { toStatus, unauthenticated } from '../protocol/rpc-errors.js';
import type { LeaseBook } from './lease-book.js';
import type { Grant, MarketView } from './lease-book-types.js';
import { toDollars } from './market/billing.js';
import {
  checkBytes,
  checkExtension,
  checkLeaseId,
  checkLeaseRequest,
  checkPublicKey,
  checkRegistration,
  checkReport,
} from './request-checks.js';
import type { Sessions } from './sessions.js';

export interface BrokerServiceOptions {
  readonly book: LeaseBook;
  readonly sessions: Sessions;
  /** The public key that verifies tickets. */
  readonly brokerKey: Buffer;
  readonly leaseSecondsMax: number;
  /** Unix ms. */
  readonly now: () => number;
  /** Called for every refusal, for the metrics. */
  readonly onRefused: (code: ErrorCode) => void;
}

const nonceBytes = 32;

interface Watcher {
  /** The watcher's public key in hexadecimal. */
  readonly key: string;
  readonly timer: NodeJS.Timeout;
}

export class BrokerService {
  readonly #options: BrokerServiceOptions;
  readonly #watchers = new Map<ServerWritableStream<unknown, Market>, Watcher>();

  constructor(options: BrokerServiceOptions) {
    this.#options = options;
  }

  /** The handlers, for `Server.addService`. */
  handlers(): BrokerHandlers {
    const { book, sessions, brokerKey, leaseSecondsMax, now } = this.#options;
    const unary = this.#unary.bind(this);
    const open = this.#open.bind(this);
    return {
      Challenge: open((request) => ({ nonce: sessions.challenge(checkPublicKey(request.publicKey)) })),
      Login: open(({ publicKey, nonce, signature }) => ({
        token: sessions.login(
          checkPublicKey(publicKey),
          checkBytes(nonce, nonceBytes, 'nonce'),
          checkBytes(signature, signatureBytes, 'signature'),
        ),
        brokerKey,
      })),
      RegisterProducer: unary((request, key) => {
        book.registerProducer(key, checkRegistration(request), request.slabBytes, now());
        return {};
      }),
      ReportUsage: unary((request, key) => {
        const { leasedSlabs, released } = book.reportUsage(key, checkReport(request), now());
        return { leasedSlabs, released: released.map((id) => Buffer.from(id, 'hex')) };
      }),
      RequestLease: unary((request, key) => {
        const grants = book.requestLease(key, checkLeaseRequest(request, leaseSecondsMax), now());
        return { leases: grants.map(leaseMessage) };
      }),
      ExtendLease: unary((request, key) => ({
        lease: leaseMessage(book.extendLease(key, checkExtension(request, leaseSecondsMax), now())),
      })),
      ReleaseLease: unary((request, key) => ({
        refunded: toDollars(book.releaseLease(key, checkLeaseId(request.leaseId), now(), request.tampered)),
      })),
      GetMarket: unary(() => marketMessage(book.market(now()))),
      WatchMarket: this.#watch(),
    };
  }

  /** Ends every price stream. */
  close(): void {
    for (const stream of this.#watchers.keys()) stream.end();
  }

  get watchers(): number {
    return this.#watchers.size;
  }

  /** A method that needs no login. */
  #open<Request, Reply>(handle: (request: Request) => Reply): handleUnaryCall<Request, Reply> {
    return (call, reply) => {
      try {
        reply(null, handle(call.request));
      } catch (error) {
        reply(this.#refuse(error));
      }
    };
  }

  /** A method that needs a login; `key` is the caller's public key in hexadecimal. */
  #unary<Request, Reply>(handle: (request: Request, key: string) => Reply): handleUnaryCall<Request, Reply> {
    return (call, reply) => {
      const key = this.#caller(call.metadata);
      if (key === undefined) {
        reply(unauthenticated());
        return;
      }
      try {
        reply(null, handle(call.request, key));
      } catch (error) {
        reply(this.#refuse(error));
      }
    };
  }

  #watch(): handleServerStreamingCall<unknown, Market> {
    return (stream) => {
      const key = this.#caller(stream.metadata);
      if (key === undefined) {
        stream.emit('error', unauthenticated());
        return;
      }
      try {
        this.#checkRoom(key);
      } catch (error) {
        stream.emit('error', this.#refuse(error));
        return;
      }
      this.#addWatcher(stream, key);
    };
  }

  /** @throws ExopoolError `EXOPOOL_UNAVAILABLE`. */
  #checkRoom(key: string): void {
    const own = [...this.#watchers.values()].filter((watcher) => watcher.key === key).length;
    if (own < watchersPerIdentityMax && this.#watchers.size < watchersMax) return;
    const whose =
      own < watchersPerIdentityMax
        ? `the broker already has ${watchersMax} watchers, its limit`
        : `this identity already has ${watchersPerIdentityMax} watchers, its limit`;
    throw new ExopoolError('EXOPOOL_UNAVAILABLE', `${whose}: poll with GetMarket instead`);
  }

  #addWatcher(stream: ServerWritableStream<unknown, Market>, key: string): void {
    const send = (): void => {
      // A slow watcher skips snapshots, so that no queue of old ones grows.
      if (stream.writableNeedDrain) return;
      try {
        stream.write(marketMessage(this.#options.book.market(this.#options.now())));
      } catch (error) {
        stream.emit('error', this.#refuse(error));
      }
    };
    const remove = (): void => {
      clearInterval(this.#watchers.get(stream)?.timer);
      this.#watchers.delete(stream);
    };
    this.#watchers.set(stream, { key, timer: setInterval(send, watchIntervalMs) });
    stream.on('cancelled', remove).on('finish', remove).on('error', remove).on('close', remove);
    send();
  }

  #caller(metadata: Metadata): string | undefined {
    const [token] = metadata.get('exopool-token');
    return typeof token === 'string' ? this.#options.sessions.publicKeyOf(token) : undefined;
  }

  #refuse(error: unknown): ReturnType<typeof toStatus> {
    const answer = toStatus(error);
    this.#options.onRefused(answer.metadata.get('exopool-code')[0] as ErrorCode);
    if (answer.metadata.get('exopool-code')[0] === 'EXOPOOL_INTERNAL') console.error(error);
    return answer;
  }
}

function leaseMessage({ lease, term, endpoint, ticket }: Grant): Lease {
  return {
    leaseId: Buffer.from(lease.id, 'hex'),
    ticket,
    endpoint,
    producerKey: Buffer.from(lease.producer, 'hex'),
    slabs: lease.slabs,
    slabBytes: lease.slabBytes,
    expiresAtMs: term.endMs,
    price: toDollars(term.price),
    charged: toDollars(lease.terms.reduce((sum, { charged }) => sum + charged, 0n)),
  };
}

function marketMessage(view: MarketView): Market {
  return {
    ...view,
    price: toDollars(view.price),
    spotPrice: toDollars(view.spotPrice),
    revenue: toDollars(view.revenue),
    commission: toDollars(view.commission),
  };
}
