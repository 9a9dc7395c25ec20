/** `exopool breakdown`: shows the time of a read in each layer of the kernel. */
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

/** Longer than the path in any real index. */
const depthMax = 1000;

export function defineBreakdown(command: Command): void {
  command
    .argument('<file>', 'file on a block device, or the device itself; it is only read')
    .option('--depth <number>', 'number of dependent reads in a chain', countUpTo(depthMax), paperChainDepth)
    .option(
      '--reads <number>',
      'number of reads to measure, with probes and without',
      countUpTo(tracedReadsMax),
      10_000,
    )
    .option('--json', 'print the times as JSON')
    .addHelpText(
      'after',
      `
It needs root and a kernel with BTF. It reads blocks of 4 KiB at random offsets, one at a time, with direct I/O. It
measures them with BPF probes between the kernel's layers and without, and subtracts the cost of the probes. On a kernel
whose functions cannot be traced it uses tracepoints, and shows the layers between two of them as one. From these times
it computes the most that a chain of dependent reads could save.

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
      throw new InvalidArgumentError(`give a whole number from 1 to ${max}.`);
    return count;
  };
}
