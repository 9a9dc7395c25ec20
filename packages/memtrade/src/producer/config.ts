/** Settings of `exopool producer`: flags, `EXOPOOL_PRODUCER_*` variables or a JSON file, by these names. */
import { join } from 'node:path';
import { z } from 'zod';
import { defaultStateDir } from '@exopool/native';
import { hostPort } from '../protocol/endpoint-setting.js';
import { slabMibMax } from '../protocol/limits.js';
import { stateDirOf } from '../protocol/state-dir.js';

const port = z.int().min(0).max(65_535);
const mebibytes = z
  .int()
  .min(0)
  .max(1 << 30);
const seconds = z
  .number()
  .min(0.01)
  .max(30 * 86_400);

/** Who to talk to, and where to serve. */
const connection = {
  broker: hostPort.default('127.0.0.1:7600').describe('HOST:PORT of the broker'),
  caFile: z
    .string()
    .min(1)
    .default(join(stateDirOf('broker'), 'tls/ca.pem'))
    .describe("the broker's CA certificate; copy its tls/ca.pem to other machines"),
  identityFile: z
    .string()
    .min(1)
    .default(join(stateDirOf('producer'), 'identity'))
    .describe('file of the secret key that this producer is known by; made when it is not there'),
  host: z.string().min(1).default('127.0.0.1').describe('address to serve slabs on'),
  port: port.default(0).describe('port to serve slabs on; 0 takes a free one'),
  advertise: hostPort.optional().describe('HOST:PORT that consumers reach it by; default: where it listens'),
};

/** How much to offer. */
const offer = {
  slabMib: z
    .int()
    .min(1)
    .max(slabMibMax)
    .default(64)
    .describe('MiB of a slab; must be the same as the broker says'),
  floorMib: mebibytes.default(1024).describe('MiB of available memory to leave to the machine'),
  maxMib: mebibytes
    .optional()
    .describe('most MiB of free memory to offer, beside what is harvested; 0: only what is harvested'),
  raiseSeconds: seconds.default(2).describe('how long more memory must stay free before it is offered'),
  graceSeconds: seconds
    .default(5)
    .describe('time that consumers have to give slabs back when they are asked for them'),
  emergencyMib: mebibytes
    .optional()
    .describe(
      'MiB of available memory below which slabs are taken without asking; default half of the floor',
    ),
  emergencyPressure: z
    .number()
    .min(0)
    .max(100)
    .default(10)
    .describe('the same above this: per cent of the time in which everybody waits for memory'),
};

/** What serving may cost. */
const limits = {
  leaseMibPerSecond: mebibytes.default(0).describe('most MiB a second of one lease; 0: no limit'),
  leaseRequestsPerSecond: z
    .int()
    .min(0)
    .max(1_000_000_000)
    .default(0)
    .describe('most requests a second of one lease; 0: no limit'),
  burstSeconds: z
    .number()
    .min(0.01)
    .max(60)
    .default(1)
    .describe('seconds of these rates that an idle lease saves up'),
  cpuPercentMax: z
    .number()
    .min(1)
    .max(100)
    .default(100)
    .describe('per cent of one core that serving may use'),
};

/** Whom to harvest from. */
const application = {
  run: z.string().min(1).optional().describe('command line to start in a cgroup of its own and harvest from'),
  command: z
    .array(z.string())
    .default([])
    .describe('the same as words; on the command line, what follows `--`'),
  cgroup: z.string().min(1).optional().describe('path of a memory cgroup to harvest from'),
  pid: z.int().min(1).optional().describe('harvest from the cgroup of this process'),
  unit: z.string().min(1).optional().describe('harvest from this unit of systemd, such as redis.service'),
  redis: z
    .string()
    .min(1)
    .optional()
    .describe('HOST:PORT of the Redis server that runs there: its latency is what must not suffer'),
  metric: z
    .string()
    .min(1)
    .optional()
    .describe(
      'what must not suffer: redis://, memcached://, postgresql://, prometheus+http://…#name, http://…#json.path, file:/path or pipe:/path; default: page-ins and memory pressure',
    ),
  metricDirection: z
    .enum(['lower', 'higher'])
    .optional()
    .describe('which values of the metric are better, where it does not say so itself: lower or higher'),
};

/** The control loop; the defaults are the paper's where it names one. */
const harvest = {
  harvest: z.boolean().default(true).describe('whether to harvest at all; free memory is offered either way'),
  epochSeconds: seconds.default(1).describe('time between two looks at the application'),
  chunkMib: z
    .int()
    .min(1)
    .max(1 << 20)
    .default(64)
    .describe('MiB by which its limit is lowered at a step'),
  coolingSeconds: seconds.default(300).describe('time between two steps'),
  recoverySeconds: seconds.default(300).describe('time without a limit after its performance dropped'),
  dropThreshold: z
    .number()
    .min(0)
    .max(10)
    .default(0.01)
    .describe('a drop: recent p99 worse than the baseline p99 by this share'),
  tailPercent: z.number().min(50).max(100).default(99).describe('which percentile is compared'),
  severeEpochs: z
    .int()
    .min(1)
    .max(1000)
    .default(3)
    .describe('epochs in a row, each worse than the whole baseline, after which memory is brought back'),
  stepGuide: z
    .enum(['fixed', 'pressure'])
    .default('fixed')
    .describe('fixed: a chunk a step; pressure: less the more the application waits'),
  victims: z
    .enum(['squeeze', 'idle'])
    .default('squeeze')
    .describe(
      'what a step pushes out; squeeze: what the kernel chooses; idle: first what DAMON finds untouched',
    ),
  dropSlack: z
    .number()
    .min(0)
    .optional()
    .describe("and by this much, in the metric's unit; default 100 page-ins a second, or 1 ms for Redis"),
  pressureMax: z
    .number()
    .min(0)
    .max(100)
    .default(20)
    .describe('also a drop: memory pressure above this, per cent of the time'),
  baselineWindowSeconds: seconds.default(6 * 3600).describe('how far back the baseline reaches'),
  recentWindowSeconds: seconds.default(600).describe('how far back "recent" reaches'),
  baselinePointsMin: z
    .int()
    .min(1)
    .max(100_000)
    .default(60)
    .describe('points the baseline needs before the first step'),
  recentPointsMin: z.int().min(1).max(100_000).default(10).describe('recent points needed to call it a drop'),
  appFloorMib: mebibytes.default(64).describe('MiB that the application always keeps'),
  swapMib: mebibytes
    .default(4096)
    .describe(
      'MiB of swap in compressed memory that is set up where there is no swap, at most half of the memory',
    ),
  siloDiskMib: mebibytes
    .default(0)
    .describe('MiB of a file that compressed pages are moved to once they are idle; 0: none'),
  siloDir: z.string().min(1).default('/var/tmp').describe('folder of that file, on a disk'),
  stateDir: z
    .string()
    .min(1)
    .default(defaultStateDir())
    .describe('folder of the journal of changes to this machine'),
};

const metrics = {
  metricsHost: z.string().min(1).default('127.0.0.1').describe('address of the Prometheus metrics'),
  metricsPort: port
    .optional()
    .describe('port of the Prometheus metrics; off when left out, 0 takes a free one'),
};

export const producerConfig = z.object({
  ...connection,
  ...offer,
  ...limits,
  ...application,
  ...harvest,
  ...metrics,
});

export type ProducerConfig = z.output<typeof producerConfig>;
/** What a program gives: the same, and all of it may be left out. */
export type ProducerSettings = z.input<typeof producerConfig>;
