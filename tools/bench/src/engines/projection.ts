/**
 * What counted instructions would mean on the papers' device.
 *
 *   software per hop   s = papers' software time of a read * instructions per hop / those of pread
 *   latency            depth * (device + s)
 *   IOPS of a core     1 / s, as the device answers meanwhile
 *
 * So `pread` takes exactly as long as measured in the paper, and an engine's share of that is its share of the
 * instructions. A crossing on a processor with mitigations costs more than its instructions say, which makes engines
 * that save crossings look worse here than they are.
 */
import type { Counted } from './counted.js';
import { readNs } from './published.js';

export interface Projected {
  readonly latencyUs: number;
  /** Hops per second and core. */
  readonly iops: number;
}

/** @param pread of the same depth and run. */
export function project(counted: Counted, pread: Counted): Projected {
  const softwareNs = readNs.software * (counted.instructionsPerHop / pread.instructionsPerHop);
  return {
    latencyUs: (counted.depth * (readNs.device + softwareNs)) / 1000,
    iops: 1e9 / softwareNs,
  };
}
