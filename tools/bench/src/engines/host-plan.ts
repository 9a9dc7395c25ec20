/** The plan of measurements on this machine, made before they begin. */
import { GiB } from '@exopool/shared';
import { ratioPoint } from './guest-plan.js';

export interface HostPlan {
  readonly depths: readonly number[];
  /** Keys in one call. */
  readonly chains: readonly number[];
  readonly rounds: number;
  readonly window_s: number;
}

export type Temperature = 'warm' | 'cold';
export type Disk = 'disk' | 'zram';

/** Disk space for all tables, 180 MB, twice. */
export const hostBytesNeeded = GiB;
export const ratioRowName = hostRowName('disk', 'warm', ratioPoint.depth, ratioPoint.chains);

export function hostPlan(wishes: {
  readonly quick: boolean;
  readonly rounds: number | undefined;
  readonly windowSeconds: number | undefined;
}): HostPlan {
  const { quick, rounds = 3, windowSeconds } = wishes;
  return {
    depths: quick ? [1, 3, 6, 10] : [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
    // Above 64 all engines use threads.
    chains: quick ? [1, 16, 64, 256] : [1, 4, 16, 64, 256],
    rounds,
    window_s: windowSeconds ?? (quick ? 0.1 : 0.3),
  };
}

export function hostRowName(disk: Disk, temperature: Temperature, depth: number, chains: number): string {
  return `lookups, ${temperature}, ${disk}, depth ${depth} ×${chains}`;
}
