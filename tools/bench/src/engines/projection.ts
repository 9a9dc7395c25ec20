/**
 * Projects counted instructions to the papers' device.
 *
 *   software per hop   s = papers' software time of a read * instructions per hop / those of pread
 *   latency            depth * (device + s)
 *   IOPS of a core     1 / s, since the device works meanwhile
 *
 * So `pread` takes exactly as long as in the paper, and other engines scale with their instructions. On a processor
 * with mitigations a crossing costs more than its instructions show, so engines that save crossings look worse here
 * than they are.
 */
import type { Counted } from './counted.js';
import { readNs } from './published.js';

export interface Projected {
  readonly latencyUs: number;
  /** Hops per second on one core. */
  readonly iops: number;
}

/** @param pread the count of `pread` for the same depth in the same run. */
export function project(counted: Counted, pread: Counted): Projected {
  const softwareNs = readNs.software * (counted.instructionsPerHop / pread.instructionsPerHop);
  return {
    latencyUs: (counted.depth * (readNs.device + softwareNs)) / 1000,
    iops: 1e9 / softwareNs,
  };
}
