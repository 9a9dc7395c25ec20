/**
 * Figures of the paper (BPF for storage, HotOS'21): Table 1, one random read of 512 B from an Intel P5800X under
 * Linux 5.8, and chains of ten dependent reads, by the layer that issues the next read.
 */
import type { ChainTimes } from './breakdown.js';
import type { PerLayer } from './layers.js';

/** The paper has no row for the wake-up: its time is in the other rows. */
export const paperLayersNs: PerLayer = {
  crossing: 351,
  'system call': 199,
  'file system': 2006,
  'block layer': 379,
  driver: 113,
  device: 3224,
  'wake-up': 0,
};

export const paperChainDepth = 10;
export const paperChain: ChainTimes = { userNs: 78_000, syscallNs: 68_000, driverNs: 40_000 };
