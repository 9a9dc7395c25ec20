/** `exopool breakdown`: where the time of a read goes, layer by layer of the kernel. */
import { InvalidArgumentError, type Command } from 'commander';
import { traceReads, tracedReadsMax } from '@exopool/native';
import { breakDown, chainTimes } from '../breakdown/breakdown.js';
import { describeBreakdown } from '../breakdown/describe.js';
import { paperChain, paperChainDepth, paperLayersNs } from '../breakdown/paper.js';
import { withShutdown } from '../shutdown.js';

interface BreakdownOptions {
  readonly depth: number;
  readonly reads: number;
  readonly json?: true;
}

/** As long as the deepest index that anybody has. */
const depthMax = 1000;

export function defineBreakdown(command: Command): void {
  command
    .argument('<file>', 'a file on a block device, or the device; it is only read')
    .option('--depth <number>', 'dependent reads in a chain', countUpTo(depthMax), paperChainDepth)
    .option(
      '--reads <number>',
      'reads to measure, with probes and without',
      countUpTo(tracedReadsMax),
      10_000,
    )
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Needs root and a kernel that describes its types (BTF). It reads blocks of 4 KiB at random places, past the page cache,
one at a time, with BPF probes at the borders of the kernel's layers and without, and subtracts what the probes cost.
Where the kernel does not let its functions be traced, tracepoints stand in, and layers between two of them are counted
together. From the times of one read follows what a chain of dependent reads could save at best.

Examples:
  exopool breakdown /var/lib/dpkg/status
  exopool breakdown --depth 6 /dev/nvme0n1
  exopool vm --icount --nvme 1G 6.12 -- ./exopool breakdown /dev/nvme0n1`,
    )
    .action(async (path: string, options: BreakdownOptions) => {
      const trace = await withShutdown((signal) => traceReads({ path, reads: options.reads, signal }));
      const breakdown = breakDown(trace);
      const { depth } = options;
      const { route, probes, tracepointsOnly } = trace;
      const chain = chainTimes(breakdown, depth);
      const paper = { layersNs: paperLayersNs, chainDepth: paperChainDepth, chain: paperChain };
      const json = { path, route, ...breakdown, depth, chain, probes, tracepointsOnly, paper };
      process.stdout.write(
        `${options.json ? JSON.stringify(json, undefined, 2) : describeBreakdown(trace, breakdown, depth)}\n`,
      );
    });
}

function countUpTo(max: number): (text: string) => number {
  return (text) => {
    const count = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(count >= 1 && count <= max))
      throw new InvalidArgumentError(`a whole number from 1 to ${max} is expected.`);
    return count;
  };
}
