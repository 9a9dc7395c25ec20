/** A consumer's settings for its block device, checked before anything is leased. */
import { existsSync, mkdirSync, statSync, unlinkSync } from 'node:fs';
import { connect, isIP } from 'node:net';
import { resolve } from 'node:path';
import { nbdPageBytes, type NbdDeviceOptions, type NbdPlace } from '@exopool/native/internal';
import { ExopoolError, MiB, parseBytes, parseEndpoint, toExopoolError } from '@exopool/shared';
import { isLoopback } from '../../protocol/endpoint-setting.js';
import type { ConsumerConfig } from '../config.js';

/**
 * The options of the device. Removes the file of a stale socket.
 * @throws ExopoolError `EXOPOOL_CONFIG` for settings that exclude each other, `EXOPOOL_PORT_IN_USE`.
 */
export async function nbdOptions(config: ConsumerConfig): Promise<NbdDeviceOptions> {
  const { resp, probe, waitingPrice, nbdTlsPsk, nbdTlsCertificates } = config;
  if (resp !== undefined || probe || waitingPrice !== undefined) {
    const text = 'nbd: --resp, --probe and --waiting-price are for a cache, and --nbd is for a block device';
    throw new ExopoolError('EXOPOOL_CONFIG', `${text}: start two consumers for both`);
  }
  const listen = placeOf(config.nbd ?? '');
  const isOpen = nbdTlsPsk === undefined && nbdTlsCertificates === undefined;
  if ('host' in listen && isOpen && !isLoopback(listen.host)) {
    throw new ExopoolError(
      'EXOPOOL_CONFIG',
      `nbd: anyone who can connect to ${listen.host} could use it: give --nbd-tls-psk or --nbd-tls-certificates`,
    );
  }
  for (const file of [nbdTlsPsk, nbdTlsCertificates]) {
    if (file !== undefined && !existsSync(file))
      throw new ExopoolError(
        'EXOPOOL_NOT_FOUND',
        `nbd: there is no ${file}: check --nbd-tls-psk and --nbd-tls-certificates`,
      );
  }
  const sizeBytes = sizeOf(config.size);
  makeFolder(config.nbdFolder);
  if ('socket' in listen) await removeStaleSocket(listen.socket);
  return {
    listen,
    sizeBytes,
    folder: config.nbdFolder,
    bufferBytes: config.nbdBufferMib * MiB,
    tlsPsk: nbdTlsPsk,
    tlsCertificates: nbdTlsCertificates,
  };
}

/** A path has a slash, an address has none. */
function placeOf(text: string): NbdPlace {
  if (text.includes('/')) return { socket: resolve(text) };
  const { host, port } = parseEndpoint(text);
  if (port === 0)
    throw new ExopoolError('EXOPOOL_CONFIG', 'nbd: clients must know the port: give one that is not 0');
  return { host, port };
}

/** The URI of the device, for clients. */
export function nbdUri({ listen, tlsPsk, tlsCertificates }: NbdDeviceOptions): string {
  const scheme = tlsPsk === undefined && tlsCertificates === undefined ? 'nbd' : 'nbds';
  if ('socket' in listen) return `${scheme}+unix:///?socket=${encodeURI(listen.socket)}`;
  const host = isIP(listen.host) === 6 ? `[${listen.host}]` : listen.host;
  return `${scheme}://${host}:${listen.port}`;
}

function sizeOf(text: string | undefined): number {
  if (text === undefined)
    throw new ExopoolError('EXOPOOL_CONFIG', 'nbd: the device needs a size: give one, as in --size 8G');
  let bytes: number;
  try {
    bytes = parseBytes(text);
  } catch (error) {
    throw new ExopoolError('EXOPOOL_CONFIG', `size: ${(error as Error).message}`, { cause: error });
  }
  if (bytes === 0)
    throw new ExopoolError('EXOPOOL_CONFIG', 'size: a device needs at least one page of 4 KiB');
  return Math.ceil(bytes / nbdPageBytes) * nbdPageBytes;
}

function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw toExopoolError(error, `cannot make ${folder}`);
  }
}

/** A process that was killed leaves its socket behind. */
async function removeStaleSocket(socket: string): Promise<void> {
  const found = statSync(socket, { throwIfNoEntry: false });
  if (found === undefined) return;
  const used = !found.isSocket() || (await isAnswered(socket));
  if (used)
    throw new ExopoolError(
      'EXOPOOL_PORT_IN_USE',
      `nbd: ${socket} is in use: stop its process, or give another path`,
    );
  unlinkSync(socket);
}

function isAnswered(socket: string): Promise<boolean> {
  return new Promise((answer) => {
    const client = connect(socket);
    // Only ECONNREFUSED means that nobody listens. A listener may be busy (EAGAIN) or forbidden for this user (EACCES).
    client.once('error', ({ code }: NodeJS.ErrnoException) => answer(code !== 'ECONNREFUSED'));
    client.once('connect', () => {
      client.destroy();
      answer(true);
    });
  });
}
