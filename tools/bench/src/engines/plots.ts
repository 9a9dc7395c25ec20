/** Plots like Figure 3 of the paper (speed-up by depth), and of projected latencies, with the papers' points. */
import type { Plot } from '../suite.js';
import { preadOf, type Run } from './guest-rows.js';
import { project } from './projection.js';
import { hotosSpeedUp, xrpLatencyUs } from './published.js';

interface Point {
  readonly series: string;
  readonly depth: number;
  readonly value: number;
  readonly source: 'counted' | 'published';
}

export function enginePlots(runs: readonly Run[]): Plot[] {
  const onExt4 = runs.map(({ kernel, counted }) => ({
    kernel,
    counted: counted.filter(({ fileSystem }) => fileSystem === 'ext4'),
  }));
  return [
    linePlot('speed-up-by-depth', 'Fewer instructions than pread, by depth', 'times', [
      ...ours(onExt4, ({ fewer }) => fewer),
      ...published(hotosSpeedUp.map(({ series, byDepth }) => [series, byDepth])),
    ]),
    linePlot('projected-latency', 'Latency of a lookup, projected on the paper’s device', 'µs', [
      ...ours(onExt4, ({ latencyUs }) => latencyUs),
      ...published(Object.entries(xrpLatencyUs)),
    ]),
  ].filter((plot) => plot !== undefined);
}

function ours(
  runs: readonly Run[],
  value: (point: { readonly latencyUs: number; readonly fewer: number }) => number,
): Point[] {
  return runs.flatMap(({ counted }) =>
    counted.flatMap((one): Point[] => {
      const pread = preadOf(counted, one);
      if (pread === undefined) return [];
      const { latencyUs } = project(one, pread);
      const fewer = pread.instructionsPerHop / one.instructionsPerHop;
      return [
        {
          series: `${one.engine} ×${one.chains}`,
          depth: one.depth,
          value: value({ latencyUs, fewer }),
          source: 'counted',
        },
      ];
    }),
  );
}

function published(series: readonly (readonly [name: string, byDepth: readonly number[]])[]): Point[] {
  return series.flatMap(([name, byDepth]) =>
    byDepth.map((value, index) => ({ series: name, depth: index + 1, value, source: 'published' as const })),
  );
}

function linePlot(name: string, title: string, unit: string, points: readonly Point[]): Plot | undefined {
  if (!points.some(({ source }) => source === 'counted')) return undefined;
  return {
    name,
    spec: {
      title: { text: title, subtitle: 'Chains on ext4; dashed: published figures' },
      data: { values: points },
      width: 560,
      height: 360,
      mark: { type: 'line', point: { size: 40 } },
      encoding: {
        x: { field: 'depth', type: 'quantitative', title: 'depth', axis: { tickMinStep: 1 } },
        y: { field: 'value', type: 'quantitative', title: unit },
        color: {
          field: 'series',
          type: 'nominal',
          title: null,
          legend: { orient: 'right', labelLimit: 260 },
        },
        strokeDash: {
          field: 'source',
          type: 'nominal',
          title: null,
          scale: {
            range: [
              [1, 0],
              [5, 4],
            ],
          },
          legend: null,
        },
      },
    },
  };
}
