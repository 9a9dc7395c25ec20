/** `exopool consumer plan`: what a consumer with these requests would lease at this price, and why. */
import type { Command } from 'commander';
import { z } from 'zod';
import { addConfigOptions, readConfig } from '../config-options.js';
import { describePlan, makePlan, summarizePlan } from '../lease-plan.js';
import { writePlot } from '../plan-plot.js';
import { readTrace } from '../readers/trace.js';

export const planConfig = z.object({
  trace: z.string().min(1).describe('CSV with a header line, perhaps compressed; - reads standard input'),
  keyColumn: z.string().min(1).default('lbn').describe('column of the key'),
  bytesColumn: z.string().min(1).default('bytes').describe("column of the value's length"),
  price: z.number().min(0).describe('US dollars per GiB and hour'),
  waitingPrice: z
    .number()
    .min(0)
    .default(0.1)
    .describe('US dollars an hour of the machine that waits for misses'),
  missMs: z.number().min(0).default(0.4).describe('milliseconds that a miss takes'),
  hitMs: z.number().min(0).default(0.1).describe('milliseconds that a hit takes'),
  rate: z.number().min(0).default(1000).describe('requests a second'),
  budget: z.number().min(0).optional().describe('most US dollars an hour; any when left out'),
  slabs: z.int().min(1).max(16_384).default(1024).describe('slabs at the most'),
  slabMib: z.int().min(1).max(1024).default(64).describe('MiB of a slab'),
  held: z.int().min(0).default(0).describe('slabs that are leased already'),
  exact: z
    .boolean()
    .default(false)
    .describe('compute the exact curve too, and how far the sampled one is from it'),
  plot: z.string().min(1).optional().describe('file for a plot, .svg or .html'),
  json: z.boolean().default(false).describe('print it as JSON'),
});

export function registerConsumerPlan(consumer: Command): void {
  const command = consumer
    .command('plan')
    .description('what would be leased for a trace of requests, and why');
  addConfigOptions(command, planConfig, 'CONSUMER_PLAN')
    .addHelpText(
      'after',
      `
Misses are estimated as a running consumer does it, from a small sample of the keys.

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
