/** What is counted in guests: decided before one boots. */

export interface GuestPlan {
  readonly depths: readonly number[];
  readonly chains: readonly number[];
  readonly fileSystems: readonly FileSystem[];
  /** Engines take turns in each; the figure is their median. */
  readonly windows: number;
  /** Of the driver, which is counted on ext4 only, as its file system is out of the way of all hops but the first. */
  readonly driverChains: readonly number[];
  /** Chains that each of its contenders walks in a round. */
  readonly driverWalks: number;
  /** Of a window; a multiple of depth and chains is taken that is near. */
  readonly hops: number;
}

export type FileSystem = 'ext4' | 'xfs';

/** Depths and chains of all ratios of counted instructions. */
export const ratioPoint = { depth: 6, chains: 16 } as const;

/** With a disk that takes a millisecond to answer, a single chain takes half a second for 300 hops. */
const quickPlan: GuestPlan = {
  depths: [1, 3, 6, 10],
  chains: [1, 16],
  fileSystems: ['ext4', 'xfs'],
  driverChains: [1, 16],
  driverWalks: 48,
  windows: 3,
  hops: 240,
};

const fullPlan: GuestPlan = {
  depths: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  chains: [1, 16],
  fileSystems: ['ext4', 'xfs'],
  driverChains: [1, 4, 16, 64],
  driverWalks: 192,
  windows: 5,
  hops: 480,
};

export function guestPlan({
  quick,
  rounds,
}: {
  readonly quick: boolean;
  readonly rounds: number | undefined;
}): GuestPlan {
  const plan = quick ? quickPlan : fullPlan;
  return { ...plan, windows: rounds ?? plan.windows };
}
