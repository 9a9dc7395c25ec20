/** Settings of a harvester in a guest. They test the mechanism only: under emulation no slow-down counts as a drop. */
const MiB = 1 << 20;

export const eagerHarvester = {
  stateDir: '/run/exopool-state',
  epochMs: 200,
  tail: 0.99,
  dropThreshold: 1e6,
  dropSlack: 1e9,
  severeEpochs: 1e6,
  pressureMax: 100,
  stepGuide: 'fixed',
  baselineWindowMs: 60_000,
  recentWindowMs: 5000,
  recentPointsMin: 3,
  chunkBytes: 16 * MiB,
  recoveryMs: 60_000,
  swapBytes: 256 * MiB,
};
