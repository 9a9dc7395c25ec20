/**
 * The size of a step. It is fixed, as in the paper, or guided by memory pressure, as in senpai and TMO: a whole chunk
 * without pressure, less as the pressure grows, and nothing at the highest pressure that is allowed.
 *
 *   bytes = chunk × (1 − pressure / pressureMax)²        squared, so that steps shrink well before the limit
 *
 * Refaults count in the same way. If all pages of the last step came back, the next step is empty.
 */

export const stepGuides = ['fixed', 'pressure'] as const;
export type StepGuide = (typeof stepGuides)[number];

export interface StepTrace {
  /** Per cent of the time in which something waited for memory. */
  readonly pressure: number;
  /** Bytes that came back since the last step. */
  readonly returnedBytes: number;
}

/** A smaller step is not worth a reclaim. */
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
