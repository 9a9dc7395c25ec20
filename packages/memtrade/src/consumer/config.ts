/** Settings of `exopool consumer`: flags, `EXOPOOL_CONSUMER_*` variables or a JSON file, by these names. */
import { join } from 'node:path';
import { sealModes } from '@exopool/native/internal';
import { z } from 'zod';
import { brokerSettings, leaseSecondsMaxDefault, metricsSettings } from '../protocol/common-settings.js';
import { listenAddress, listenPlace } from '../protocol/endpoint-setting.js';
import { requestedSlabsMax } from '../protocol/limits.js';
import { stateDirOf } from '../protocol/state-dir.js';
import { defaultLeaseSeconds } from './remote-memory.types.js';
import { clientsMaxDefault } from './resp/resp-server.js';

/** How much to lease, for how long and at what price. */
const lease = {
  slabs: z.int().min(1).max(requestedSlabsMax).default(4).describe('number of slabs to lease'),
  minimumSlabs: z
    .int()
    .min(0)
    .max(requestedSlabsMax)
    .default(1)
    .describe('fail at the start with fewer slabs than this; 0 starts with none and waits for the market'),
  waitingPrice: z
    .number()
    .min(0)
    .optional()
    .describe(
      'cost of a machine that waits for misses, US dollars an hour; with --miss-ms, leases only as many slabs as pay off, up to --slabs',
    ),
  missMs: z
    .number()
    .min(0)
    .optional()
    .describe('duration of a miss, in milliseconds: the time to fetch the data from its source'),
  budget: z
    .number()
    .min(0)
    .optional()
    .describe('most US dollars an hour for all leases together; no limit by default'),
  leaseSeconds: z
    .int()
    .min(1)
    .max(leaseSecondsMaxDefault)
    .default(defaultLeaseSeconds)
    .describe('length of a lease, in seconds; leases are extended before they end'),
  maxPrice: z
    .number()
    .min(0)
    .optional()
    .describe('highest price, US dollars per GiB and hour; no limit by default'),
};

/** How values are kept in leased memory. */
const memory = {
  seal: z
    .enum(sealModes)
    .default('aes-128-gcm')
    .describe(
      'protection of values: aes-128-gcm encrypts and authenticates; paper is AES-128-CBC with HMAC-SHA-256; integrity only authenticates, so producers can read values; off trusts producers fully',
    ),
  secondCopy: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe(
      'largest share of the slabs for second copies of hot values, with other producers; needs leases of two producers',
    ),
  probe: z
    .boolean()
    .default(false)
    .describe('write test values and read them back, ten times a second, to check that leased memory works'),
};

/** The front end for Redis clients. */
const resp = {
  resp: listenAddress
    .optional()
    .describe('[HOST:]PORT at which Redis clients use the leased memory; off by default'),
  respPasswordFile: z
    .string()
    .min(1)
    .optional()
    .describe('file with the password for AUTH; required when HOST is not a loopback address'),
  respTlsCert: z.string().min(1).optional().describe('PEM certificate; Redis clients must use TLS then'),
  respTlsKey: z.string().min(1).optional().describe('PEM key of that certificate'),
  respTlsClientCa: z
    .string()
    .min(1)
    .optional()
    .describe('PEM certificates of the CAs that sign client certificates; clients must present one then'),
  respMaxClients: z
    .int()
    .min(1)
    .max(100_000)
    .default(clientsMaxDefault)
    .describe('largest number of Redis clients at a time'),
};

/** The front end for block devices. */
const nbd = {
  nbd: listenPlace
    .optional()
    .describe(
      'SOCKET or [HOST:]PORT at which NBD clients use a block device in leased memory; off by default',
    ),
  size: z.string().min(1).optional().describe('size of the block device, such as 8G'),
  nbdFolder: z
    .string()
    .min(1)
    .default(join(stateDirOf('consumer'), 'nbd'))
    .describe('folder on a local disk for the backing file, which grows up to the size of the device'),
  nbdBufferMib: z
    .int()
    .min(1)
    .max(65_536)
    .default(64)
    .describe('memory for pages on their way to the backing file, in MiB'),
  nbdTlsPsk: z
    .string()
    .min(1)
    .optional()
    .describe(
      'file of USER:HEX-KEY lines, as psktool writes it; NBD clients must use TLS with one of the keys then',
    ),
  nbdTlsCertificates: z
    .string()
    .min(1)
    .optional()
    .describe(
      'folder with ca-cert.pem, server-cert.pem and server-key.pem; NBD clients must use TLS with a certificate of that CA then',
    ),
};

/**
 * The schema of a consumer's settings. `consumerConfig.parse({})` gives the defaults.
 *
 * @example
 * const config = consumerConfig.parse({ broker: 'market.example.org:7600', caFile: 'ca.pem', slabs: 16 });
 */
export const consumerConfig = z.object({
  ...brokerSettings('consumer'),
  ...lease,
  ...memory,
  ...resp,
  ...nbd,
  ...metricsSettings,
});

/** The settings of a consumer, checked and complete. */
export type ConsumerConfig = z.output<typeof consumerConfig>;
/** The settings that a program gives. Those that it leaves out have their defaults. */
export type ConsumerSettings = z.input<typeof consumerConfig>;
