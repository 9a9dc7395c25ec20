/** Rows of the report from the counts in guests. */
import type { Row } from '../suite.js';
import type { Counted } from './counted.js';
import { project } from './projection.js';

/** The counts of one kernel. Ratios and projections compare only counts of the same kernel. */
export interface Run {
  readonly kernel: string;
  readonly counted: readonly Counted[];
}

export function guestRows({ kernel, counted }: Run): Row[] {
  return counted.map((one) => {
    const { engine, instructionsPerHop, low, high } = one;
    const pread = preadOf(counted, one);
    const projected = pread === undefined ? undefined : project(one, pread);
    return {
      name: guestRowName(kernel, one),
      contender: engine,
      instructions_per_hop: instructionsPerHop,
      instructions_per_hop_min: low,
      instructions_per_hop_max: high,
      projected_latency_us: projected?.latencyUs,
      projected_iops: projected?.iops,
    };
  });
}

export function guestRowName(kernel: string, { fileSystem, depth, chains }: Counted): string {
  return `instructions per hop, depth ${depth} ×${chains}, ${fileSystem}, Linux ${kernel}`;
}

/** The count of `pread` to compare with: of the same number of chains, else of one chain. */
export function preadOf(
  counted: readonly Counted[],
  { fileSystem, depth, chains }: Counted,
): Counted | undefined {
  const candidates = counted.filter(
    (one) => one.engine === 'pread' && one.fileSystem === fileSystem && one.depth === depth,
  );
  return candidates.find((one) => one.chains === chains) ?? candidates.find((one) => one.chains === 1);
}
