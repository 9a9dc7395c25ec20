/** Made-up rounds of the harvest suite, for tests. */
import type { LoadWindow } from '../harvest/load/window.js';
import type { HarvestRound } from '../harvest/rounds.js';

export const loadWindow = (operations: number, p99Us: number): LoadWindow => ({
  operations,
  seconds: 2,
  p50Us: 1,
  p99Us,
  p999Us: 3,
  points: [],
});

/** A round without harvest and without loss, except for the given fields. */
export const harvestRound = (given: Partial<HarvestRound>): HarvestRound => ({
  undisturbed: [loadWindow(1000, 100), loadWindow(1000, 100)],
  settling: loadWindow(1000, 100),
  harvested: loadWindow(1000, 100),
  calmP99Us: { undisturbed: 100, harvested: 100 },
  flatOut: undefined,
  workloadBytes: 1000,
  points: [],
  harvestedBytes: 0,
  swappedBytes: 0,
  storedBytes: 0,
  diskBytes: 0,
  pageIns: 0,
  siloHitRate: undefined,
  ...given,
});
