/** Converts measurements to rows of the report. */
import { spreadOf } from '../statistics.js';
import type { Row } from '../suite.js';
import { rateOf, type LoadWindow } from './load/window.js';
import type { HarvestRound } from './rounds.js';

export function harvestRows(name: string, workload: string, rounds: readonly HarvestRound[]): Row[] {
  const of = (pick: (round: HarvestRound) => number): number => spreadOf(rounds.map(pick)).median;
  const hits = rounds.flatMap(({ siloHitRate }) => siloHitRate ?? []);
  const diskBytes = of((round) => round.diskBytes);
  const windows = (kind: 'undisturbed' | 'harvested'): Row => ({
    ...loadRow(
      name,
      kind,
      rounds.flatMap((round) => round[kind]),
    ),
    calm_p99_us: of(({ calmP99Us }) => calmP99Us[kind]),
  });
  const harvested: Row = {
    ...windows('harvested'),
    workload_bytes: of(({ workloadBytes }) => workloadBytes),
    swapped_bytes: of(({ swappedBytes }) => swappedBytes),
    ...(diskBytes === 0 ? {} : { silo_disk_bytes: diskBytes }),
    harvested_bytes: of(({ harvestedBytes }) => harvestedBytes),
    harvested_share: of((round) => round.harvestedBytes / round.workloadBytes),
    page_ins_per_op: of(({ pageIns, harvested: { operations } }) => pageIns / Math.max(1, operations)),
    ...(hits.length === 0 ? {} : { silo_hit_share: spreadOf(hits).median }),
  };
  const undisturbed: Row = { ...windows('undisturbed'), engine: workload };
  const flat = rounds.flatMap(({ flatOut }) => flatOut ?? []);
  if (flat.length === 0) return [undisturbed, harvested];
  return [
    undisturbed,
    harvested,
    loadRow(
      `${name}, flat out`,
      'undisturbed',
      flat.map((pair) => pair.undisturbed),
    ),
    loadRow(
      `${name}, flat out`,
      'harvested',
      flat.map((pair) => pair.harvested),
    ),
  ];
}

/** Medians of windows of one kind. */
export function loadRow(name: string, contender: string, windows: readonly LoadWindow[]): Row {
  const rates = spreadOf(windows.map(rateOf));
  const of = (pick: (window: LoadWindow) => number): number => spreadOf(windows.map(pick)).median;
  return {
    name,
    contender,
    ops_per_s: rates.median,
    ops_per_s_min: rates.min,
    ops_per_s_max: rates.max,
    p50_us: of(({ p50Us }) => p50Us),
    p99_us: of(({ p99Us }) => p99Us),
    p999_us: of(({ p999Us }) => p999Us),
  };
}
