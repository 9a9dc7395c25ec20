/** The plan of measurements in guests, made before a guest boots. */
import { assertKnown, isWanted } from '../only.js';

export interface GuestPlan {
  readonly parts: readonly GuestPart[];
  readonly depths: readonly number[];
  readonly chains: readonly number[];
  readonly fileSystems: readonly FileSystem[];
  /** Number of windows. Engines take turns in each; a figure is the median of the windows. */
  readonly windows: number;
  /** Chains in flight for the driver. */
  readonly driverChains: readonly number[];
  /** Chains that each contender of the driver walks in a round. */
  readonly driverWalks: number;
  /** Approximate hops of a window: a multiple of depth and chains near to this. */
  readonly hops: number;
  /** Seconds for one mode and budget beside a computing process. */
  readonly fairnessSeconds: number;
}

export type FileSystem = 'ext4' | 'xfs';

/**
 *   ring         instructions of the engines of the kernel's ring
 *   driver       instructions of exopool.ko's modes
 *   null-block   their time by the clock, without a device
 *   fairness     the share of the CPU that a computing process keeps beside them
 *   extents      time of a look-up of extents, on this machine
 */
export const guestParts = ['ring', 'driver', 'null-block', 'fairness', 'extents'] as const;
export type GuestPart = (typeof guestParts)[number];

/** Depths and chains of all ratios of counted instructions. */
export const ratioPoint = { depth: 6, chains: 16 } as const;

/** On a disk that takes 1 ms to answer, a single chain takes half a second for 300 hops. */
const quickPlan = {
  depths: [1, 3, 6, 10],
  chains: [1, 16],
  fileSystems: ['ext4', 'xfs'],
  driverChains: [1, 16],
  driverWalks: 48,
  windows: 3,
  hops: 240,
  fairnessSeconds: 0.5,
} as const;

const fullPlan = {
  depths: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
  chains: [1, 4, 16, 64],
  fileSystems: ['ext4', 'xfs'],
  driverChains: [1, 4, 16, 64],
  driverWalks: 192,
  windows: 5,
  hops: 480,
  fairnessSeconds: 2,
} as const;

/** @throws ExopoolError `EXOPOOL_USAGE` if `only` names an unknown part. */
export function guestPlan({
  quick,
  rounds,
  only,
}: {
  readonly quick: boolean;
  readonly rounds: number | undefined;
  readonly only: readonly string[] | undefined;
}): GuestPlan {
  const plan = quick ? quickPlan : fullPlan;
  assertKnown(only, guestParts);
  const parts = guestParts.filter((part) => isWanted(only, part));
  return { ...plan, parts, windows: rounds ?? plan.windows };
}
