/** Opens the Redis front end by a consumer's settings. */
import { readFileSync } from 'node:fs';
import { ExopoolError, parseEndpoint, toExopoolError } from '@exopool/shared';
import { isLoopback } from '../protocol/endpoint-setting.js';
import type { ConsumerConfig } from './config.js';
import type { DemandSampler } from './demand-sampler.js';
import type { RemoteMemory } from './remote-memory.js';
import { RespServer } from './resp/resp-server.js';

/**
 * @throws ExopoolError `EXOPOOL_CONFIG` for settings that exclude each other, `EXOPOOL_PORT_IN_USE`, or the file system's
 *   error for a password or certificate.
 */
export async function openRespServer(
  config: ConsumerConfig,
  memory: RemoteMemory,
  demand?: DemandSampler,
): Promise<RespServer> {
  const { host, port } = parseEndpoint(config.resp ?? '');
  const password = readPassword(config.respPasswordFile);
  const tls = readTls(config);
  if (password === undefined && tls?.ca === undefined && !isLoopback(host)) {
    throw new ExopoolError(
      'EXOPOOL_CONFIG',
      `resp: anyone who can connect to ${host} could use it: give --resp-password-file or --resp-tls-client-ca`,
    );
  }
  return RespServer.listen({
    tier: memory.tier,
    host,
    port,
    password,
    tls,
    demand,
    clientsMax: config.respMaxClients,
    describeMemory: () => describeMemory(memory),
  });
}

function readPassword(file: string | undefined): string | undefined {
  if (file === undefined) return undefined;
  const password = read(file)
    .toString('utf8')
    .replace(/\r?\n$/, '');
  if (password === '') throw new ExopoolError('EXOPOOL_CONFIG', `respPasswordFile: ${file} is empty`);
  return password;
}

function readTls(config: ConsumerConfig): { cert: Buffer; key: Buffer; ca?: Buffer } | undefined {
  const { respTlsCert, respTlsKey, respTlsClientCa } = config;
  if (respTlsCert === undefined && respTlsKey === undefined && respTlsClientCa === undefined)
    return undefined;
  if (respTlsCert === undefined || respTlsKey === undefined) {
    throw new ExopoolError('EXOPOOL_CONFIG', 'TLS needs both --resp-tls-cert and --resp-tls-key');
  }
  const own = { cert: read(respTlsCert), key: read(respTlsKey) };
  return respTlsClientCa === undefined ? own : { ...own, ca: read(respTlsClientCa) };
}

function read(file: string): Buffer {
  try {
    return readFileSync(file);
  } catch (error) {
    throw toExopoolError(error, `cannot read ${file}`);
  }
}

function describeMemory(memory: RemoteMemory): string[] {
  const { tier, leases, leasedSlabs, charged } = memory.stats();
  return [
    `leases:${leases}`,
    `leased_slabs:${leasedSlabs}`,
    `capacity_bytes:${tier.capacityBytes}`,
    `value_bytes:${tier.bytes}`,
    `tampered:${tier.tampered}`,
    `charged_dollars:${charged}`,
  ];
}
