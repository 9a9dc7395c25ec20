/** Settings of `exopool producer`: flags, `EXOPOOL_PRODUCER_*` variables or a JSON file, by these names. */
import { z } from 'zod';
import { defaultStateDir } from '@exopool/native';
import { brokerSettings, metricsSettings, portNumber, slabMib } from '../protocol/common-settings.js';
import { hostPort } from '../protocol/endpoint-setting.js';
import { victimChoices } from './harvester/aim.js';
import { directions } from './harvester/metrics/performance-metric.js';
import { stepGuides } from './harvester/step-size.js';

const mebibytes = z
  .int()
  .min(0)
  .max(1 << 30);
const seconds = z
  .number()
  .min(0.01)
  .max(30 * 86_400);

/** The address at which slabs are served. */
const serving = {
  host: z.string().min(1).default('127.0.0.1').describe('address to serve slabs on'),
  port: portNumber.default(0).describe('port to serve slabs on; 0 takes a free one'),
  advertise: hostPort
    .optional()
    .describe('HOST:PORT at which consumers reach this producer; default: --host and --port'),
};

/** How much to offer. */
const offer = {
  slabMib: slabMib.describe("size of a slab in MiB; must equal the broker's"),
  floorMib: mebibytes.default(1024).describe('available memory that the machine keeps, in MiB'),
  maxMib: mebibytes
    .optional()
    .describe('most free memory to offer, in MiB; 0 offers only what is harvested; no limit by default'),
  raiseSeconds: seconds
    .default(2)
    .describe('time in seconds for which more memory must stay free before it is offered'),
  graceSeconds: seconds
    .default(5)
    .describe('time in seconds that consumers have to give slabs back when asked'),
  emergencyMib: mebibytes
    .optional()
    .describe(
      'with less available memory than this, in MiB, slabs are taken at once; default: half of --floor-mib',
    ),
  emergencyPressure: z
    .number()
    .min(0)
    .max(100)
    .default(10)
    .describe(
      'with more memory pressure than this, slabs are taken at once; per cent of the time in which all tasks wait',
    ),
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
    .describe('burst of an idle lease: this many seconds at its full rates'),
  cpuPercentMax: z
    .number()
    .min(1)
    .max(100)
    .default(100)
    .describe('most CPU time for serving, per cent of one core'),
};

/** The application to harvest from. */
const application = {
  run: z.string().min(1).optional().describe('command line to start in a new cgroup and harvest from'),
  command: z
    .array(z.string())
    .default([])
    .describe('the same as separate words; on the command line, the words after `--`'),
  cgroup: z.string().min(1).optional().describe('path of a memory cgroup to harvest from'),
  pid: z.int().min(1).optional().describe('process to harvest from, with all others in its cgroup'),
  unit: z.string().min(1).optional().describe('systemd unit to harvest from, such as redis.service'),
  redis: z
    .string()
    .min(1)
    .optional()
    .describe('HOST:PORT of the Redis server in that cgroup; its latency must not get worse'),
  metric: z
    .string()
    .min(1)
    .optional()
    .describe(
      'metric that must not get worse: redis://, memcached://, postgresql://, prometheus+http://…#name, http://…#json.path, file:/path or pipe:/path; default: page-ins and memory pressure',
    ),
  metricDirection: z
    .enum(directions)
    .optional()
    .describe('better values of the metric, for a metric that does not say so itself'),
};

/** The control loop. Defaults are those of the Memtrade paper, where it names one. */
const harvest = {
  harvest: z
    .boolean()
    .default(true)
    .describe('harvest from an application; free memory is offered either way'),
  epochSeconds: seconds.default(1).describe('interval in seconds at which the application is measured'),
  chunkMib: z
    .int()
    .min(1)
    .max(1 << 20)
    .default(64)
    .describe("size of a step: the application's limit goes down by so many MiB"),
  coolingSeconds: seconds.default(300).describe('time in seconds between two steps'),
  recoverySeconds: seconds.default(300).describe('time in seconds without a limit after a performance drop'),
  dropThreshold: z
    .number()
    .min(0)
    .max(10)
    .default(0.01)
    .describe('a performance drop: the recent p99 is worse than the baseline p99 by this share'),
  tailPercent: z.number().min(50).max(100).default(99).describe('percentile to compare, instead of p99'),
  severeEpochs: z
    .int()
    .min(1)
    .max(1000)
    .default(3)
    .describe('memory is brought back after so many epochs in a row that are worse than the whole baseline'),
  stepGuide: z
    .enum(stepGuides)
    .default('fixed')
    .describe('size of a step; fixed: always --chunk-mib; pressure: less under memory pressure'),
  victims: z
    .enum(victimChoices)
    .default('squeeze')
    .describe(
      'pages that a step pushes out; squeeze: the kernel chooses; idle: first those that DAMON finds idle',
    ),
  dropSlack: z
    .number()
    .min(0)
    .optional()
    .describe(
      "a performance drop must also be worse by this much, in the metric's unit; default: 100 page-ins a second, 1 ms for Redis",
    ),
  pressureMax: z
    .number()
    .min(0)
    .max(100)
    .default(20)
    .describe('memory pressure above this is a performance drop too; per cent of the time'),
  baselineWindowSeconds: seconds.default(6 * 3600).describe('length of the baseline window, in seconds'),
  recentWindowSeconds: seconds.default(600).describe('length of the recent window, in seconds'),
  baselinePointsMin: z
    .int()
    .min(1)
    .max(100_000)
    .default(60)
    .describe('measurements in the baseline before the first step'),
  recentPointsMin: z
    .int()
    .min(1)
    .max(100_000)
    .default(10)
    .describe('recent measurements before a performance drop is declared'),
  appFloorMib: mebibytes.default(64).describe('memory that the application always keeps, in MiB'),
  swapMib: mebibytes
    .default(4096)
    .describe(
      'size of the compressed swap that is set up on a machine without swap, in MiB; at most half of the memory',
    ),
  siloDiskMib: mebibytes
    .default(0)
    .describe('size of a file for compressed pages that stay idle, in MiB; 0: no file'),
  siloDir: z.string().min(1).default('/var/tmp').describe('folder of that file, on a disk'),
  stateDir: z
    .string()
    .min(1)
    .default(defaultStateDir())
    .describe('folder of the journal of changes to this machine'),
};

/**
 * The schema of a producer's settings. `producerConfig.parse({})` gives the defaults.
 *
 * @example
 * const config = producerConfig.parse({ broker: '127.0.0.1:7600', caFile: 'ca.pem', maxMib: 1024 });
 */
export const producerConfig = z.object({
  ...brokerSettings('producer'),
  ...serving,
  ...offer,
  ...limits,
  ...application,
  ...harvest,
  ...metricsSettings,
});

/** The settings of a producer, checked and complete. */
export type ProducerConfig = z.output<typeof producerConfig>;
/** The settings that a program gives. Those that it leaves out have their defaults. */
export type ProducerSettings = z.input<typeof producerConfig>;
