/**
 * A running broker: the market's state machine over one SQLite file, served by gRPC with TLS, and metrics.
 *
 *   stateDir/
 *     identity       Ed25519 seed; signs lease tickets
 *     broker.sqlite  producers, leases, ledger
 *     tls/           ca.pem (for clients), ca.key, server.pem, server.key
 */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { experimental, Server } from '@grpc/grpc-js';
import {
  ExopoolError,
  Identity,
  loadConfig,
  toExopoolError,
  UndoStack,
  type MetricsServer,
} from '@exopool/shared';
import { callsPerConnectionMax, replyMessageBytesMax, requestMessageBytesMax } from '../protocol/limits.js';
import { BrokerService as service } from '../protocol/load-proto.js';
import { BrokerMetrics } from './broker-metrics.js';
import { BrokerService } from './broker-service.js';
import { CertificateSource } from './certificate-source.js';
import { brokerConfig, type BrokerConfig, type BrokerSettings } from './config.js';
import { LeaseBook } from './lease-book.js';
import type { LeaseBookSettings } from './lease-book-types.js';
import { fromDollars } from './market/billing.js';
import { Sessions } from './sessions.js';
import { SqliteRepository } from './sqlite-repository.js';

/** A broker that runs in this process. */
export interface RunningBroker {
  readonly port: number;
  /** HOST:PORT for clients. */
  readonly endpoint: string;
  /** The public key that verifies tickets. */
  readonly brokerKey: Buffer;
  /** The CA certificate that clients need. */
  readonly caFile: string;
  /** The port of the Prometheus metrics; `undefined` when they are off. */
  readonly metricsPort: number | undefined;
  /** Finishes calls in flight, ends streams and stops. Idempotent. */
  close(): Promise<void>;
}

/** Time for calls in flight to finish when the broker closes. */
const closeGraceMs = 2000;

/**
 * Starts a broker.
 * @param settings those of `exopool broker`; what is left out has its default.
 * @throws ExopoolError `EXOPOOL_CONFIG`, `EXOPOOL_PORT_IN_USE`, `EXOPOOL_LOCKED`, `EXOPOOL_CORRUPT`, `EXOPOOL_VERSION`, or what the
 *   file system says about the state folder.
 */
export async function runBroker(settings: BrokerSettings = {}): Promise<RunningBroker> {
  const config = loadConfig(brokerConfig, { scope: 'BROKER', flags: settings });
  const repository = SqliteRepository.open(join(config.stateDir, 'broker.sqlite'));
  const undo = new UndoStack();
  undo.push(() => repository.close());
  try {
    const identity = Identity.loadOrCreate(join(config.stateDir, 'identity'));
    const names = [config.host, ...config.names].filter((name) => name !== '0.0.0.0' && name !== '::');
    const certificates = await CertificateSource.start(join(config.stateDir, 'tls'), names);
    undo.push(() => certificates.close());

    const book = new LeaseBook(repository, identity, marketSettings(config), randomBytes);
    const metrics = new BrokerMetrics(book);
    const brokerService = new BrokerService({
      book,
      sessions: new Sessions(),
      brokerKey: identity.publicKey,
      leaseSecondsMax: config.leaseSecondsMax,
      now: Date.now,
      onRefused: (code) => metrics.refused(code),
    });
    let metricsServer: MetricsServer | undefined;
    if (config.metricsPort !== undefined) {
      metricsServer = await metrics.serve(config.metricsHost, config.metricsPort);
      const opened = metricsServer;
      undo.push(() => opened.close());
    }
    const server = new Server({
      'grpc.max_receive_message_length': requestMessageBytesMax,
      'grpc.max_send_message_length': replyMessageBytesMax,
      'grpc.max_concurrent_streams': callsPerConnectionMax,
    });
    undo.push(
      () => stopServer(server),
      () => brokerService.close(),
    );
    server.addService(service.service, brokerService.handlers());
    const port = await listen(server, config, certificates);
    return {
      port,
      endpoint: hostPort(config.host, port),
      brokerKey: identity.publicKey,
      caFile: certificates.caFile,
      metricsPort: metricsServer?.port,
      close: () => undo.undo(),
    };
  } catch (error) {
    return undo.undoAfter(toExopoolError(error, 'cannot start the broker'));
  }
}

function marketSettings(config: BrokerConfig): LeaseBookSettings {
  return {
    slabBytes: config.slabMib * 1024 * 1024,
    spotPrice: fromDollars(config.spotPrice),
    priceShare: config.priceShare,
    commissionShare: config.commissionShare,
    leaseSecondsMax: config.leaseSecondsMax,
  };
}

async function listen(
  server: Server,
  config: BrokerConfig,
  certificates: CertificateSource,
): Promise<number> {
  // With a provider, a renewed certificate needs no restart. Clients have no certificates.
  const credentials = experimental.createCertificateProviderServerCredentials(
    certificates,
    certificates,
    false,
  );
  const address = hostPort(config.host, config.port);
  return new Promise((resolve, reject) => {
    server.bindAsync(address, credentials, (error, port) => {
      if (error === null) resolve(port);
      else if (/EADDRINUSE/.test(error.message)) {
        const message = `${address} is in use: stop the process that listens there, or give another --port`;
        reject(new ExopoolError('EXOPOOL_PORT_IN_USE', message, { cause: error }));
      } else {
        reject(
          new ExopoolError('EXOPOOL_IO', `cannot listen on ${address}: ${error.message}`, { cause: error }),
        );
      }
    });
  });
}

async function stopServer(server: Server): Promise<void> {
  const force = setTimeout(() => server.forceShutdown(), closeGraceMs);
  await new Promise<void>((resolve) => server.tryShutdown(() => resolve()));
  clearTimeout(force);
}

function hostPort(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
