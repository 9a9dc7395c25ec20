/** `exopool consumer plan`: computes how much a consumer would lease for a trace of requests, and why. */
import type { Command } from 'commander';
import { requestedSlabsMax, slabMibDefault, slabMibMax } from '@exopool/memtrade';
import { z } from 'zod';
import { addConfigOptions, readConfig } from '../config-options.js';
import { describePlan, makePlan, summarizePlan } from '../lease-plan.js';
import { writePlot } from '../plan-plot.js';
import { readTrace } from '../readers/trace.js';

export const planConfig = z.object({
  trace: z
    .string()
    .min(1)
    .describe('CSV file with a header line, plain or compressed; - reads standard input'),
  keyColumn: z.string().min(1).default('lbn').describe('column with the key'),
  bytesColumn: z.string().min(1).default('bytes').describe('column with the length of the value'),
  price: z.number().min(0).describe('price of leased memory, US dollars per GiB and hour'),
  waitingPrice: z
    .number()
    .min(0)
    .default(0.1)
    .describe('cost of a machine that waits for misses, US dollars an hour'),
  missMs: z.number().min(0).default(0.4).describe('duration of a miss, in milliseconds'),
  hitMs: z.number().min(0).default(0.1).describe('duration of a hit, in milliseconds'),
  rate: z.number().min(0).default(1000).describe('requests a second'),
  budget: z.number().min(0).optional().describe('most US dollars an hour; no limit by default'),
  slabs: z.int().min(1).max(requestedSlabsMax).default(1024).describe('largest number of slabs'),
  slabMib: z.int().min(1).max(slabMibMax).default(slabMibDefault).describe('size of a slab in MiB'),
  held: z.int().min(0).default(0).describe('slabs that are leased already'),
  exact: z.boolean().default(false).describe('compute the exact curve too, and the error of the sampled one'),
  plot: z.string().min(1).optional().describe('write a plot to this file, .svg or .html'),
  json: z.boolean().default(false).describe('print the plan as JSON'),
});

export function registerConsumerPlan(consumer: Command): void {
  const command = consumer
    .command('plan')
    .description('compute how much to lease for a trace of requests, and why');
  addConfigOptions(command, planConfig, 'CONSUMER_PLAN')
    .addHelpText(
      'after',
      `
It estimates misses from a small sample of the keys, as a running consumer does.

Examples:
  exopool consumer plan --trace requests.csv --key-column key --price 0.005
  exopool consumer plan --trace blocks.csv.gz --price 0.002 --rate 5000 --miss-ms 0.8 --plot plan.svg`,
    )
    .action(async () => {
      const config = readConfig(command, planConfig, 'CONSUMER_PLAN');
      const plan = makePlan(config, await readTrace(config.trace, config.keyColumn, config.bytesColumn));
      if (config.plot !== undefined) await writePlot(config.plot, plan);
      process.stdout.write(`${config.json ? JSON.stringify(summarizePlan(plan)) : describePlan(plan)}\n`);
    });
}
