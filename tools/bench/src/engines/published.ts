/** Published figures for comparison: HotOS'21, Figures 1 and 3, and XRP (OSDI'22), Table 3. */

/** Nanoseconds of one random read of 512 B on an Intel P5800X under Linux 5.8. */
export const readNs = { device: 3224, software: 351 + 199 + 2006 + 379 + 113 } as const;

/** Speed-up of the hook in the NVMe driver under io_uring, by depth from 1 to 10. */
export const hotosSpeedUp: readonly { readonly series: string; readonly byDepth: readonly number[] }[] = [
  {
    series: 'paper: NVMe driver hook, batch 1',
    byDepth: [1.0, 1.2, 1.35, 1.42, 1.46, 1.5, 1.53, 1.55, 1.56, 1.58],
  },
  {
    series: 'paper: NVMe driver hook, batch 8',
    byDepth: [1.0, 1.53, 1.86, 2.08, 2.26, 2.39, 2.49, 2.57, 2.65, 2.71],
  },
];

/** Mean latency of a lookup by index depth from 1 to 6, microseconds. */
export const xrpLatencyUs: Readonly<Record<string, readonly number[]>> = {
  'XRP paper: read()': [13.4, 20.6, 27.4, 34.0, 41.5, 48.8],
  'XRP paper: io_uring': [13.6, 20.2, 28.0, 35.0, 42.4, 49.3],
  'XRP paper: XRP': [10.7, 14.2, 18.0, 21.7, 25.4, 29.3],
  'XRP paper: SPDK': [5.2, 7.8, 11.2, 14.3, 17.2, 20.2],
};
