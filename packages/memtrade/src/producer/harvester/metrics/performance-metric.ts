/** The application's performance, as one number an epoch. The harvester must not make it worse. */

export interface Epoch {
  readonly seconds: number;
  /** Pages brought back from swap or disk. */
  readonly pageIns: number;
}

/** Says which values of a metric are better. */
export const directions = ['lower', 'higher'] as const;
export type Direction = (typeof directions)[number];

export interface PerformanceMetric {
  /** The name of the metric, with its unit, for people. */
  readonly name: string;
  readonly direction: Direction;
  /** Differences below this are noise; in the metric's unit. */
  readonly defaultSlack: number;
  /** Ends an epoch. @returns its value, soon; `undefined` when the application did not answer. */
  endEpoch(epoch: Epoch): Promise<number | undefined> | number | undefined;
  close(): void;
}

/**
 * Page-ins a second, for applications without a metric of their own: a page that was pushed out and is needed comes
 * back by a major fault. At 10 µs a page from compressed memory, 100 page-ins a second cost 0.1 % of a core.
 */
export function promotionRate(): PerformanceMetric {
  return {
    name: 'page-ins a second',
    direction: 'lower',
    defaultSlack: 100,
    endEpoch: ({ pageIns, seconds }) => pageIns / seconds,
    close: () => undefined,
  };
}
