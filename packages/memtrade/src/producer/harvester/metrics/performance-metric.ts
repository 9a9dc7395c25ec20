/** How well the application does, one number an epoch: what the harvester must not make worse. */

export interface Epoch {
  readonly seconds: number;
  /** Pages brought back from swap or disk. */
  readonly pageIns: number;
}

/** Which values are better. */
export type Direction = 'lower' | 'higher';

export interface PerformanceMetric {
  /** With its unit, for people. */
  readonly name: string;
  readonly direction: Direction;
  /** Differences below this are noise; in the metric's unit. */
  readonly defaultSlack: number;
  /** The value of the epoch that just ended; `undefined` when the application could not be asked. Never waits long. */
  endEpoch(epoch: Epoch): Promise<number | undefined> | number | undefined;
  close(): void;
}

/**
 * Page-ins a second, for applications that tell nothing about themselves: what was pushed out and is missed comes
 * back as major faults. Below some hundred a second a page from compressed memory (10 µs each) costs less than 1 %.
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
