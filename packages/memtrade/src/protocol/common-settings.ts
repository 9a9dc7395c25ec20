/** Settings that several processes of the market share. Each is written once, here. */
import { join } from 'node:path';
import { z } from 'zod';
import { hostPort } from './endpoint-setting.js';
import { slabMibMax } from './limits.js';
import { stateDirOf } from './state-dir.js';

/** The port of a broker, unless another is given. IANA assigns it to nobody. */
export const brokerPortDefault = 7600;
/** The size of a slab in MiB, unless the market has another: small enough to give back at once, large enough to count. */
export const slabMibDefault = 64;
/** The longest lease, in seconds, unless the broker allows more: a day. */
export const leaseSecondsMaxDefault = 86_400;

/** A port to listen on; 0 takes a free one. */
export const portNumber = z.int().min(0).max(65_535);
export const slabMib = z.int().min(1).max(slabMibMax).default(slabMibDefault);

/** How a producer or consumer reaches its broker, and the key by which the broker knows it. */
export const brokerSettings = (part: 'producer' | 'consumer') => ({
  broker: hostPort.default(`127.0.0.1:${brokerPortDefault}`).describe('HOST:PORT of the broker'),
  caFile: z
    .string()
    .min(1)
    .default(join(stateDirOf('broker'), 'tls/ca.pem'))
    .describe(
      "the broker's CA certificate; copy tls/ca.pem from the broker's state folder to other machines",
    ),
  identityFile: z
    .string()
    .min(1)
    .default(join(stateDirOf(part), 'identity'))
    .describe(`file of this ${part}'s secret key; created when it does not exist`),
});

/** Where a process serves its Prometheus metrics. */
export const metricsSettings = {
  metricsHost: z.string().min(1).default('127.0.0.1').describe('address of the Prometheus metrics'),
  metricsPort: portNumber
    .optional()
    .describe('port of the Prometheus metrics; 0 takes a free one; off by default'),
};
