/** Plots of suite lookup: bars with the spread of the rounds, latencies on a logarithmic scale. */
import type { Plot, Row } from '../suite.js';
import { deviceRowName } from './ratios.js';

const ours = '#0b6bcb';
const tuned = '#8c99a8';
const plain = '#c8d0d9';
/** Formats microseconds in a suitable unit. */
const durations =
  "datum.value < 1e3 ? datum.value + ' µs' : datum.value < 1e6 ? datum.value / 1e3 + ' ms' : datum.value / 1e6 + ' s'";
const kinds = ['exopool', 'peer, tuned', 'peer, default'];

interface Point extends Row {
  readonly workload: string;
  readonly kind: string;
}

export function lookupPlots(rows: readonly Row[]): Plot[] {
  const points = rows.map(toPoint);
  const cold = points.filter(({ name }) => name.startsWith('get uniform') && name.endsWith('cold'));
  const device = rows.find(({ name }) => name === deviceRowName)?.ops_per_s;
  const subtitle =
    device === undefined ? [] : [`fio reads ${Math.round(device / 1000)} K pages/s at depth 128`];
  const others = points.filter((point) => !cold.includes(point) && point.ops_per_s !== undefined);
  return [
    barPlot('cold-gets', 'Point reads, cold: memory for a quarter of the data', subtitle, cold, 'reads/s'),
    latencyPlot(cold.filter(({ name }) => name.includes('×128'))),
    barPlot(
      'hot',
      'All data in memory',
      [],
      others.filter(({ name }) => name.endsWith('hot')),
      'calls/s',
    ),
    barPlot(
      'other-reads',
      'Other reads with memory for a quarter of the data',
      [],
      others.filter(({ name }) => /cold$|^get.*warm$/.test(name)),
      'calls/s',
    ),
    barPlot(
      'writes',
      'Writing: the load, durable updates, half reads and half updates',
      [],
      others.filter(({ name }) => /^(load|update|mixed)/.test(name)),
      'records or calls/s',
    ),
  ].filter((plot) => plot !== undefined);
}

function toPoint(row: Row): Point {
  const { name, contender } = row;
  const kind = contender === 'exopool' ? kinds[0]! : contender.endsWith('tuned') ? kinds[1]! : kinds[2]!;
  return { ...row, workload: name, kind };
}

function barPlot(
  name: string,
  title: string,
  subtitle: readonly string[],
  points: readonly Point[],
  unit: string,
): Plot | undefined {
  const values = points.filter(({ ops_per_s }) => ops_per_s !== undefined && ops_per_s > 0);
  if (values.length === 0) return undefined;
  const y = { field: 'contender', type: 'nominal', sort: contenderOrder(values), title: null };
  const bars = {
    mark: { type: 'bar', height: { band: 0.72 }, cornerRadiusEnd: 2 },
    encoding: {
      x: {
        field: 'ops_per_s',
        type: 'quantitative',
        title: unit,
        axis: { labelExpr: "format(datum.value, '~s')", tickCount: 4 },
        scale: { nice: true, zero: true },
      },
      color: colors(values),
    },
  };
  const spread = {
    mark: { type: 'rule', color: '#1f2933', strokeWidth: 1.2 },
    encoding: { x: { field: 'ops_per_s_min', type: 'quantitative' }, x2: { field: 'ops_per_s_max' } },
  };
  const labels = {
    mark: { type: 'text', align: 'left', dx: 5, fontSize: 11, color: '#1f2933' },
    encoding: {
      x: { field: 'label_at', type: 'quantitative' },
      text: { field: 'ops_per_s', type: 'quantitative', format: '.3s' },
    },
  };
  return {
    name,
    spec: {
      title: { text: title, subtitle },
      data: {
        values: values.map((point) => ({ ...point, label_at: point.ops_per_s_max ?? point.ops_per_s })),
      },
      facet: {
        field: 'workload',
        type: 'nominal',
        sort: unique(values.map(({ workload }) => workload)),
        title: null,
      },
      columns: 3,
      spacing: { row: 28, column: 40 },
      spec: { width: 230, height: { step: 22 }, encoding: { y }, layer: [bars, spread, labels] },
      resolve: { scale: { x: 'independent' } },
    },
  };
}

function latencyPlot(points: readonly Point[]): Plot | undefined {
  const values = points.flatMap((point) =>
    (['p50_us', 'p99_us', 'p999_us'] as const).flatMap((percentile) =>
      point[percentile] === undefined
        ? []
        : [{ ...point, percentile: percentileNames[percentile], microseconds: point[percentile] }],
    ),
  );
  if (values.length === 0) return undefined;
  const y = { field: 'contender', type: 'nominal', sort: contenderOrder(values), title: null };
  const x = {
    field: 'microseconds',
    type: 'quantitative',
    scale: { type: 'log' },
    title: null,
    axis: { values: [1, 10, 100, 1e3, 1e4, 1e5, 1e6, 1e7], labelExpr: durations },
  };
  return {
    name: 'cold-latency',
    spec: {
      title: { text: 'Latency of cold point reads, 128 asked for at a time' },
      data: { values },
      width: 520,
      height: { step: 26 },
      encoding: { y },
      layer: [
        {
          mark: { type: 'line', color: '#c8d0d9', strokeWidth: 2 },
          encoding: { x, detail: { field: 'contender' } },
        },
        {
          mark: { type: 'point', filled: true, size: 80, opacity: 1 },
          encoding: {
            x,
            shape: {
              field: 'percentile',
              sort: Object.values(percentileNames),
              title: null,
              scale: {
                domain: Object.values(percentileNames),
                range: ['circle', 'diamond', 'triangle-right'],
              },
            },
            color: colors(points),
          },
        },
      ],
    },
  };
}

const percentileNames = { p50_us: 'p50', p99_us: 'p99', p999_us: 'p99.9' } as const;

function colors(points: readonly Point[]): object {
  const used = kinds.filter((kind) => points.some((point) => point.kind === kind));
  const range = used.map((kind) => [ours, tuned, plain][kinds.indexOf(kind)]);
  return { field: 'kind', type: 'nominal', title: null, scale: { domain: used, range } };
}

/** The same order in all facets: exopool, then the others by store. */
function contenderOrder(points: readonly Point[]): string[] {
  return unique(points.map(({ contender }) => contender));
}

function unique(items: readonly string[]): string[] {
  return [...new Set(items)];
}
