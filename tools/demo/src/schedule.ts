/**
 * Cuts the measured part into slices that alternate between both modes, with and without the remote tier. So a drift,
 * such as from other guests of the host or from Redis, affects both alike. If the disk can be limited, slices also
 * alternate between the plain disk and the limited one.
 *
 *   warm-up (with) | own: without, with | limited: without, with | own: … | warm file
 */

export type Mode = 'without' | 'with';
/** The disk without a limit, or limited to the reads per second of a network volume. */
export type Disk = 'own' | 'limited';

export interface Slice {
  readonly kind: 'warm-up' | 'measure' | 'warm-file';
  readonly disk: Disk;
  readonly mode: Mode;
  readonly seconds: number;
}

/** Shares of the measured part. Reads fill the remote tier, so it needs a warm-up. */
const warmUpShare = 0.2;
const warmFileShare = 0.1;
/** A shorter slice would mostly measure its own start. */
const sliceSecondsMin = 1;
const roundsMax = 4;

/** @param disks to measure on, at least one. */
export function makeSchedule(seconds: number, disks: readonly Disk[]): Slice[] {
  const measured = seconds * (1 - warmUpShare - warmFileShare);
  const slicesOfRound = 2 * disks.length;
  const rounds = Math.max(1, Math.min(roundsMax, Math.floor(measured / (slicesOfRound * sliceSecondsMin))));
  const share = { kind: 'measure', seconds: measured / (rounds * slicesOfRound) } as const;
  const round = disks.flatMap((disk): Slice[] => [
    { ...share, disk, mode: 'without' },
    { ...share, disk, mode: 'with' },
  ]);
  return [
    { kind: 'warm-up', disk: 'own', mode: 'with', seconds: seconds * warmUpShare },
    ...Array.from({ length: rounds }, () => round).flat(),
    { kind: 'warm-file', disk: 'own', mode: 'without', seconds: seconds * warmFileShare },
  ];
}
