/** The picture of suite lookup: cold point reads, ours and every peer's, with the ratio in its title. */
import { formatBytes, formatCount } from '@exopool/shared';
import type { Theme } from '../report/theme.js';
import type { Picture, Row } from '../suite.js';
import type { Plan } from './plan.js';
import type { ratiosOf } from './ratios.js';
import { coldGet, nameOf } from './workloads.js';

const kinds = ['exopool', 'peer, tuned', 'peer, default'] as const;
/** Pixels of the bars: with their names, the picture is as wide as a README. */
const width = 600;

/** @returns `undefined` when ours or all peers have no figure. */
export function lookupPicture(
  rows: readonly Row[],
  ratios: ReturnType<typeof ratiosOf>,
  plan: Pick<Plan, 'records' | 'dataBytes' | 'rounds'>,
): Picture | undefined {
  const cold = rows.filter(({ name }) => name === nameOf(coldGet));
  const bars = cold.filter((row): row is Row & { ops_per_s: number } => (row.ops_per_s ?? 0) > 0);
  const { cold_get_vs_best_peer_default: plain, cold_get_vs_best_peer_tuned: tuned } = ratios;
  if (plain === undefined && tuned === undefined) return undefined;
  const than = [
    ...(tuned === undefined ? [] : [`${tuned.toFixed(1)}× the best tuned peer`]),
    ...(plain === undefined ? [] : [`${plain.toFixed(1)}× the best with its defaults`]),
  ];
  const { records, dataBytes, rounds } = plan;
  const missing = cold.filter(({ ops_per_s }) => ops_per_s === undefined).map(({ contender }) => contender);
  const title = {
    text: than.join(', '),
    subtitle: [
      `Cold point reads a second, 128 in flight: ${formatCount(records)} records (${formatBytes(dataBytes)}), memory for a quarter of them`,
      `bars: median of ${rounds} rounds; lines: least and most` +
        (missing.length === 0 ? '' : `; without a figure: ${missing.join(', ')}`),
    ],
  };
  return (theme) => ({ title, data: { values: bars.map(toPoint) }, width, ...drawn(theme) });
}

function toPoint(row: Row): object {
  const { contender, ops_per_s, ops_per_s_min, ops_per_s_max } = row;
  const kind = contender === 'exopool' ? 0 : contender.endsWith(' tuned') ? 1 : 2;
  return { contender, kind: kinds[kind], ops_per_s, ops_per_s_min, ops_per_s_max };
}

function drawn({ text, ours, tuned, plain }: Theme): object {
  const rate = { field: 'ops_per_s', type: 'quantitative' };
  return {
    height: { step: 26 },
    encoding: {
      y: {
        field: 'contender',
        type: 'nominal',
        sort: { field: 'ops_per_s', order: 'descending' },
        title: null,
      },
    },
    layer: [
      {
        mark: { type: 'bar', height: { band: 0.72 }, cornerRadiusEnd: 2 },
        encoding: {
          x: { ...rate, title: null, axis: { labelExpr: "format(datum.value, '~s')", tickCount: 5 } },
          color: {
            field: 'kind',
            type: 'nominal',
            title: null,
            scale: { domain: kinds, range: [ours, tuned, plain] },
          },
        },
      },
      {
        mark: { type: 'rule', color: text, strokeWidth: 1.2 },
        encoding: { x: { field: 'ops_per_s_min', type: 'quantitative' }, x2: { field: 'ops_per_s_max' } },
      },
      {
        mark: { type: 'text', align: 'left', dx: 6, fontSize: 12, color: text },
        encoding: {
          x: { field: 'ops_per_s_max', type: 'quantitative' },
          text: { ...rate, format: '.3~s' },
        },
      },
    ],
  };
}
