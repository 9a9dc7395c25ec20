/** Settings of `exopool consumer`: flags, `EXOPOOL_CONSUMER_*` variables or a JSON file, by these names. */
import { join } from 'node:path';
import { sealModes } from '@exopool/native/internal';
import { z } from 'zod';
import { hostPort, listenAddress, listenPlace } from '../protocol/endpoint-setting.js';
import { requestedSlabsMax } from '../protocol/limits.js';
import { stateDirOf } from '../protocol/state-dir.js';
import { clientsMaxDefault } from './resp/resp-server.js';

export const consumerConfig = z.object({
  broker: hostPort.default('127.0.0.1:7600').describe('HOST:PORT of the broker'),
  caFile: z
    .string()
    .min(1)
    .default(join(stateDirOf('broker'), 'tls/ca.pem'))
    .describe("the broker's CA certificate; copy its tls/ca.pem to other machines"),
  identityFile: z
    .string()
    .min(1)
    .default(join(stateDirOf('consumer'), 'identity'))
    .describe('file of the secret key that this consumer is known by; made when it is not there'),
  slabs: z.int().min(1).max(requestedSlabsMax).default(4).describe('slabs to lease'),
  minimumSlabs: z
    .int()
    .min(0)
    .max(requestedSlabsMax)
    .default(1)
    .describe('start with no fewer than this; 0 starts with nothing and waits for the market'),
  waitingPrice: z
    .number()
    .min(0)
    .optional()
    .describe(
      'US dollars an hour of the machine that waits for misses; with --miss-ms it leases what is worth it, up to --slabs',
    ),
  missMs: z
    .number()
    .min(0)
    .optional()
    .describe('milliseconds that a miss takes, where the data is fetched instead'),
  budget: z.number().min(0).optional().describe('most US dollars an hour for leases; any when left out'),
  leaseSeconds: z
    .int()
    .min(1)
    .max(86_400)
    .default(600)
    .describe('length of a lease; extended before its end'),
  maxPrice: z
    .number()
    .min(0)
    .optional()
    .describe('highest price, US dollars per GiB and hour; any when left out'),
  seal: z
    .enum(sealModes)
    .default('aes-128-gcm')
    .describe(
      'how values are sealed before a producer gets them: integrity shows them to it, off trusts it in everything, paper is AES-128-CBC with HMAC-SHA-256',
    ),
  secondCopy: z
    .number()
    .min(0)
    .max(0.5)
    .default(0)
    .describe(
      'share of the slabs, at most, for second copies of what is hot, with producers that hold nothing else; needs leases of two producers',
    ),
  probe: z
    .boolean()
    .default(false)
    .describe('write values and read them back, ten times a second, to see that leased memory works'),
  resp: listenAddress
    .optional()
    .describe('[HOST:]PORT where clients of Redis use the leased memory; off when left out'),
  respPasswordFile: z
    .string()
    .min(1)
    .optional()
    .describe('file with the password for AUTH; needed when HOST is not this machine only'),
  respTlsCert: z.string().min(1).optional().describe('PEM certificate: Redis clients must use TLS'),
  respTlsKey: z.string().min(1).optional().describe('PEM key of that certificate'),
  respTlsClientCa: z
    .string()
    .min(1)
    .optional()
    .describe('PEM certificates of who may sign client certificates; asks clients for one'),
  respMaxClients: z
    .int()
    .min(1)
    .max(100_000)
    .default(clientsMaxDefault)
    .describe('connections of Redis clients at the same time'),
  nbd: listenPlace
    .optional()
    .describe(
      'SOCKET or [HOST:]PORT where NBD clients use the leased memory as a block device; off when left out',
    ),
  size: z.string().min(1).optional().describe('size of the block device, such as 8G'),
  nbdFolder: z
    .string()
    .min(1)
    .default(join(stateDirOf('consumer'), 'nbd'))
    .describe('folder on a local disk for the backing file, which grows up to that size'),
  nbdBufferMib: z
    .int()
    .min(1)
    .max(65_536)
    .default(64)
    .describe('MiB of memory for pages on their way to the backing file'),
  nbdTlsPsk: z
    .string()
    .min(1)
    .optional()
    .describe('file of USER:HEX-KEY lines (psktool makes it): NBD clients must use TLS with one of the keys'),
  nbdTlsCertificates: z
    .string()
    .min(1)
    .optional()
    .describe(
      'folder with ca-cert.pem, server-cert.pem, server-key.pem: NBD clients must use TLS with a certificate of that CA',
    ),
  metricsHost: z.string().min(1).default('127.0.0.1').describe('address of the Prometheus metrics'),
  metricsPort: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('port of the Prometheus metrics; off when left out, 0 takes a free one'),
});

export type ConsumerConfig = z.output<typeof consumerConfig>;
/** What a program gives: the same, and all of it may be left out. */
export type ConsumerSettings = z.input<typeof consumerConfig>;
