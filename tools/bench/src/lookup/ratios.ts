/** Ratios of exopool to the others, and their targets. */
import type { Row } from '../suite.js';
import { coldGet, hotGet, nameOf } from './workloads.js';

export const deviceRowName = 'fio randread 4 KiB ×128';
const pageBytes = 4096;

/** Lower limits of ratios. */
export const targets = {
  cold_get_vs_best_peer_default: 3,
  cold_get_vs_best_peer_tuned: 1.5,
  hot_get_vs_lmdb: 0.5,
  hot_get_vs_best_other: 1,
  device_iops_share: 0.8,
} as const;

type Ratio = keyof typeof targets;

/** Ratios with both sides measured. A failed peer does not count. */
export function ratiosOf(rows: readonly Row[]): Partial<Record<Ratio, number>> {
  const ofRow = (name: string, contender: string): Row | undefined =>
    rows.find((row) => row.name === name && row.contender === contender);
  const best = (name: string, isPeer: (contender: string) => boolean): number | undefined => {
    const rates = rows.flatMap((row) =>
      row.name === name && row.contender !== 'exopool' && isPeer(row.contender) ? (row.ops_per_s ?? []) : [],
    );
    return rates.length === 0 ? undefined : Math.max(...rates);
  };
  const cold = ofRow(nameOf(coldGet), 'exopool');
  const hot = ofRow(nameOf(hotGet), 'exopool')?.ops_per_s;
  const isLmdb = (contender: string): boolean => contender.startsWith('lmdb');
  const deviceReads = ((cold?.bytes_read_per_op ?? 0) / pageBytes) * (cold?.ops_per_s ?? NaN);
  const ratios: Record<Ratio, number> = {
    cold_get_vs_best_peer_default: over(
      cold?.ops_per_s,
      best(nameOf(coldGet), (contender) => contender.endsWith(' default')),
    ),
    cold_get_vs_best_peer_tuned: over(
      cold?.ops_per_s,
      best(nameOf(coldGet), (contender) => contender.endsWith(' tuned')),
    ),
    hot_get_vs_lmdb: over(hot, best(nameOf(hotGet), isLmdb)),
    hot_get_vs_best_other: over(
      hot,
      best(nameOf(hotGet), (contender) => !isLmdb(contender)),
    ),
    device_iops_share: over(deviceReads, rows.find(({ name }) => name === deviceRowName)?.ops_per_s),
  };
  return Object.fromEntries(Object.entries(ratios).filter(([, ratio]) => Number.isFinite(ratio)));
}

/** One check for each measured ratio. */
export function checksOf(ratios: Partial<Record<Ratio, number>>): Record<string, boolean> {
  return Object.fromEntries(
    Object.entries(ratios).map(([name, ratio]) => [name, ratio >= targets[name as Ratio]]),
  );
}

function over(ours: number | undefined, theirs: number | undefined): number {
  return ours === undefined || theirs === undefined || theirs === 0 ? NaN : ours / theirs;
}
