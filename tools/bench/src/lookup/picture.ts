/** The picture of suite lookup: point reads of exopool and its peers, past memory and in memory, with ratios. */
import { formatBytes, formatCount } from '@exopool/shared';
import type { Theme } from '../report/theme.js';
import type { Picture, Row } from '../suite.js';
import type { Plan } from './plan.js';
import { coldGet, hotGet, nameOf } from './workloads.js';

const kinds = ['exopool', 'peer, tuned', 'peer, default'] as const;
const panels = [
  { name: nameOf(coldGet), where: 'past memory', head: 'past memory: cold, a quarter of the data fits' },
  { name: nameOf(hotGet), where: 'in memory', head: 'in memory: hot, everything fits' },
] as const;
/** Pixels of a panel: with the names beside them, the picture is as wide as a README. */
const width = 270;

type Measured = Row & { readonly ops_per_s: number };

/** @returns `undefined` if exopool or all peers have no figure. */
export function lookupPicture(
  rows: readonly Row[],
  { records, dataBytes, rounds }: Pick<Plan, 'records' | 'dataBytes' | 'rounds'>,
): Picture | undefined {
  const measured = rows.filter((row): row is Measured => (row.ops_per_s ?? 0) > 0);
  const bars = panels.flatMap(({ name, head }) =>
    measured.filter((row) => row.name === name).map((row) => toBar(row, head)),
  );
  const ratios = panels.flatMap(({ name, where }) => {
    const ratio = ratioTo(measured.filter((row) => row.name === name));
    return ratio === undefined ? [] : [`${ratio.toFixed(1)}× the best peer ${where}`];
  });
  if (ratios.length === 0) return undefined;
  const missing = rows.filter(({ name, failed }) => name === nameOf(coldGet) && failed !== undefined);
  const title = {
    text: ratios.join(', '),
    subtitle: [
      `Point reads a second, 128 in flight, of ${formatCount(records)} records (${formatBytes(dataBytes)})`,
      (rounds === 1 ? 'one round' : `bars: median of ${rounds} rounds; lines: least and most`) +
        (missing.length === 0 ? '' : `; failed: ${missing.map(({ contender }) => contender).join(', ')}`),
    ],
  };
  return (theme) => ({ title, data: { values: bars }, ...drawn(theme) });
}

function ratioTo(rows: readonly Measured[]): number | undefined {
  const ours = rows.find(({ contender }) => contender === 'exopool');
  const peers = rows.filter((row) => row !== ours).map(({ ops_per_s }) => ops_per_s);
  return ours === undefined || peers.length === 0 ? undefined : ours.ops_per_s / Math.max(...peers);
}

function toBar({ contender, ops_per_s, ops_per_s_min, ops_per_s_max }: Measured, panel: string): object {
  const kind = kinds[contender === 'exopool' ? 0 : contender.endsWith(' tuned') ? 1 : 2];
  return { panel, contender, kind, ops_per_s, ops_per_s_min, ops_per_s_max };
}

function drawn({ text, ours, tuned, plain }: Theme): object {
  const rate = { field: 'ops_per_s', type: 'quantitative' };
  const y = { field: 'contender', type: 'nominal', sort: null, title: null };
  const color = {
    field: 'kind',
    type: 'nominal',
    title: null,
    scale: { domain: kinds, range: [ours, tuned, plain] },
  };
  const axis = { labelExpr: "format(datum.value, '~s')", tickCount: 4 };
  const bars = {
    mark: { type: 'bar', height: { band: 0.72 }, cornerRadiusEnd: 2 },
    encoding: { x: { ...rate, title: null, axis }, color },
  };
  const spread = {
    mark: { type: 'rule', color: text, strokeWidth: 1.2 },
    encoding: { x: { field: 'ops_per_s_min', type: 'quantitative' }, x2: { field: 'ops_per_s_max' } },
  };
  const labels = {
    mark: { type: 'text', align: 'left', dx: 6, fontSize: 12, color: text },
    encoding: {
      x: { field: 'ops_per_s_max', type: 'quantitative' },
      text: { ...rate, format: '.3~s' },
    },
  };
  return {
    facet: {
      column: {
        field: 'panel',
        sort: panels.map(({ head }) => head),
        title: null,
        header: { labelColor: text },
      },
    },
    spacing: 60,
    spec: { width, height: { step: 26 }, encoding: { y }, layer: [bars, spread, labels] },
    resolve: { scale: { x: 'independent' } },
  };
}
