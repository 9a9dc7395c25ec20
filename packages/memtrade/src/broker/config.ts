/** Settings of `exopool broker`: flags, `EXOPOOL_BROKER_*` variables or a JSON file, by these names. */
import { z } from 'zod';
import {
  brokerPortDefault,
  leaseSecondsMaxDefault,
  metricsSettings,
  portNumber,
  slabMib,
} from '../protocol/common-settings.js';
import { stateDirOf } from '../protocol/state-dir.js';

/**
 * The schema of a broker's settings. `brokerConfig.parse({})` gives the defaults.
 *
 * @example
 * const config = brokerConfig.parse({ port: 0, stateDir: '/tmp/broker' });
 */
export const brokerConfig = z.object({
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  port: portNumber.default(brokerPortDefault).describe('port to listen on; 0 takes a free one'),
  names: z
    .array(z.string().min(1).max(253))
    .max(32)
    .default([])
    .describe('more host names and addresses for the TLS certificate'),
  stateDir: z
    .string()
    .min(1)
    .default(stateDirOf('broker'))
    .describe('folder of the database, the identity and the certificates'),
  slabMib: slabMib.describe('size of a slab, the unit of leases, in MiB'),
  spotPrice: z
    .number()
    .min(0)
    .max(1000)
    .default(0.02)
    .describe('price of memory in a cloud, US dollars per GiB and hour'),
  priceShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe('price of leased memory, as a share of the spot price'),
  commissionShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe("the broker's share of each charge; the producer gets the rest"),
  leaseSecondsMax: z
    .int()
    .min(1)
    .max(30 * 86_400)
    .default(leaseSecondsMaxDefault)
    .describe('longest lease, in seconds from now'),
  ...metricsSettings,
});

/** The settings of a broker, checked and complete. */
export type BrokerConfig = z.output<typeof brokerConfig>;
/** The settings that a program gives. Those that it leaves out have their defaults. */
export type BrokerSettings = z.input<typeof brokerConfig>;
