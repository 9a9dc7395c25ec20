/**
 * How much to take at a step. Fixed, as in the paper; or guided by pressure, as senpai and TMO do: a whole chunk while
 * nothing waits for memory, less the nearer the application comes to the pressure it may have, nothing at it.
 *
 *   bytes = chunk × (1 − pressure / pressureMax)²        squared: gentle well before the limit
 *
 * Refaults count as pressure of the same kind: a step after which as many pages came back as it pushed out was wrong
 * altogether.
 */

export type StepGuide = 'fixed' | 'pressure';

export interface StepTrace {
  /** Per cent of the time in which something waited for memory. */
  readonly pressure: number;
  /** Bytes that came back since the last step. */
  readonly returnedBytes: number;
}

/** Steps below a page's multiple of this are not worth a reclaim. */
const stepBytesMin = 64 * 1024;

export function stepBytes(
  guide: StepGuide,
  chunkBytes: number,
  pressureMax: number,
  { pressure, returnedBytes }: StepTrace,
): number {
  if (guide === 'fixed') return chunkBytes;
  const calm = Math.max(0, 1 - pressure / Math.max(pressureMax, Number.MIN_VALUE));
  const kept = Math.max(0, 1 - returnedBytes / chunkBytes);
  const bytes = Math.floor(chunkBytes * calm * calm * kept);
  return bytes < stepBytesMin ? 0 : bytes;
}
