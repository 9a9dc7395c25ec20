/**
 * The measured part, cut into slices: with and without the remote tier by turns, so that whatever drifts (the host's
 * other guests, the Redis server beside us) falls on both alike; and where the disk can be limited, as it is and
 * limited by turns.
 *
 *   warm-up (with) | own: without, with | limited: without, with | own: … | warm file
 */

export type Mode = 'without' | 'with';
/** The disk as it is, or held to the reads per second of a network volume. */
export type Disk = 'own' | 'limited';

export interface Slice {
  readonly kind: 'warm-up' | 'measure' | 'warm-file';
  readonly disk: Disk;
  readonly mode: Mode;
  readonly seconds: number;
}

/** Shares of the measured part. The remote tier fills from what is read, so it needs a while before it counts. */
const warmUpShare = 0.2;
const warmFileShare = 0.1;
/** A slice shorter than this mostly measures its own beginning. */
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
