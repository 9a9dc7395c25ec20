/**
 * The measured part, cut into slices: with and without the remote tier by turns, so that whatever drifts (the host's
 * other guests, the Redis server beside us) falls on both alike.
 *
 *   warm-up (with) | without with without with … | warm file
 */

export type Mode = 'without' | 'with';

export interface Slice {
  readonly kind: 'warm-up' | 'measure' | 'warm-file';
  readonly mode: Mode;
  readonly seconds: number;
}

/** Shares of the measured part. The remote tier fills from what is read, so it needs a while before it counts. */
const warmUpShare = 0.2;
const warmFileShare = 0.1;
/** A slice shorter than this mostly measures its own beginning. */
const sliceSecondsMin = 1;
const pairsMax = 4;

export function makeSchedule(seconds: number): Slice[] {
  const measured = seconds * (1 - warmUpShare - warmFileShare);
  const pairs = Math.max(1, Math.min(pairsMax, Math.floor(measured / (2 * sliceSecondsMin))));
  const slice = measured / (2 * pairs);
  const turns = Array.from({ length: pairs }, (): Slice[] => [
    { kind: 'measure', mode: 'without', seconds: slice },
    { kind: 'measure', mode: 'with', seconds: slice },
  ]);
  return [
    { kind: 'warm-up', mode: 'with', seconds: seconds * warmUpShare },
    ...turns.flat(),
    { kind: 'warm-file', mode: 'without', seconds: seconds * warmFileShare },
  ];
}
