/** Settings of `exopool broker`: flags, `EXOPOOL_BROKER_*` variables or a JSON file, by these names. */
import { z } from 'zod';
import { slabMibMax } from '../protocol/limits.js';
import { stateDirOf } from '../protocol/state-dir.js';

export const brokerConfig = z.object({
  host: z.string().min(1).default('127.0.0.1').describe('address to listen on'),
  port: z.int().min(0).max(65_535).default(7600).describe('port to listen on; 0 takes a free one'),
  names: z
    .array(z.string().min(1).max(253))
    .max(32)
    .default([])
    .describe('further host names and addresses that the TLS certificate is valid for, separated by commas'),
  stateDir: z
    .string()
    .min(1)
    .default(stateDirOf('broker'))
    .describe('folder of the database, the identity and the certificates'),
  slabMib: z.int().min(1).max(slabMibMax).default(64).describe('MiB of a slab, the unit that is leased'),
  spotPrice: z
    .number()
    .min(0)
    .max(1000)
    .default(0.02)
    .describe('what a cloud asks for memory, US dollars per GiB and hour'),
  priceShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.25)
    .describe('the price asked here, as a share of the spot price'),
  commissionShare: z
    .number()
    .min(0)
    .max(1)
    .default(0.05)
    .describe("the broker's share of every charge; the rest is the producer's"),
  leaseSecondsMax: z
    .int()
    .min(1)
    .max(30 * 86_400)
    .default(86_400)
    .describe('longest time that a lease may run ahead, seconds'),
  metricsHost: z.string().min(1).default('127.0.0.1').describe('address of the Prometheus metrics'),
  metricsPort: z
    .int()
    .min(0)
    .max(65_535)
    .optional()
    .describe('port of the Prometheus metrics; off when left out, 0 takes a free one'),
});

export type BrokerConfig = z.output<typeof brokerConfig>;
/** What a program gives: the same, and all of it may be left out. */
export type BrokerSettings = z.input<typeof brokerConfig>;
