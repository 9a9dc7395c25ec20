/** Measurements of exopool.ko other than instructions: time by the clock, shares of the CPU, look-ups of extents. */
import { z } from 'zod';
import type { Row } from '../suite.js';
import { parseLines, walkedSchema } from './counted.js';

/** Far above any real figure. A higher figure is a bug of the program. */
const nsMax = 1e12;
const hopsPerSecondMax = 1e9;
const extentsMax = 65_536;
/** Least share of a CPU for a computing process beside a process that walks chains with a budget. */
export const neighbourShareMin = 0.45;

const ns = z.number().min(0).max(nsMax);
const timedSchema = walkedSchema.extend({ nsPerHop: ns, low: ns, high: ns });
const sharedSchema = walkedSchema.extend({
  /** Chained reads per second that a process may make; 0 for no limit. */
  budget: z.int().min(0),
  /** Share of the CPU. The clock has ticks, so it may be a little above 1. */
  neighbourShare: z.number().min(-0.1).max(1.1),
  hopsPerS: z.number().min(0).max(hopsPerSecondMax),
});
const extentsSchema = z.object({ extents: z.int().min(1).max(extentsMax), nsPerLookup: ns });

export type Timed = z.infer<typeof timedSchema>;
export type Shared = z.infer<typeof sharedSchema>;

/** @throws as parseLines. */
export function timeRows(kernel: string, printed: string): Row[] {
  return parseLines(printed, timedSchema).map((one) => ({
    name: `ns per hop, depth ${one.depth} ×${one.chains}, ${one.fileSystem} on null_blk, Linux ${kernel}`,
    contender: one.engine,
    ns_per_hop: one.nsPerHop,
    ns_per_hop_min: one.low,
    ns_per_hop_max: one.high,
  }));
}

/** @throws as parseLines. */
export function shareRows(kernel: string, device: string, printed: string): Row[] {
  return parseLines(printed, sharedSchema).map((one) => ({
    name: `CPU of a process that computes, beside ${one.chains} chains on ${device}, Linux ${kernel}`,
    contender: one.budget === 0 ? `${one.engine}, no budget` : `${one.engine}, budget ${one.budget}/s`,
    neighbour_share: one.neighbourShare,
    hops_per_s: one.hopsPerS,
  }));
}

/** Checks that the neighbour kept its share beside every mode with a budget. Without measurements there is no check. */
export function shareChecks(rows: readonly Row[]): Record<string, boolean> {
  const shares = rows
    .filter(({ contender }) => contender.includes(', budget'))
    .map(({ neighbour_share: share }) => share)
    .filter((share) => share !== undefined);
  if (shares.length === 0) return {};
  return { neighbour_share_with_budget: Math.min(...shares) >= neighbourShareMin };
}

/** @throws as parseLines. */
export function extentRows(printed: string): Row[] {
  return parseLines(printed, extentsSchema).map(({ extents, nsPerLookup }) => ({
    name: 'look-up of an extent, on this machine (XRP: 96 ns)',
    contender: `${extents} extents`,
    ns_per_lookup: nsPerLookup,
  }));
}
