/** Plots of suite harvest: an application's memory and p99 over the time of a round, and the ablations. */
import type { Plot, Row } from '../suite.js';
import type { LoadPoint, LoadWindow } from './load/window.js';
import type { HarvestRound } from './rounds.js';

const colors = { memory: '#0b6bcb', harvested: '#2a9d58', p99: '#d1495b', grey: '#8c99a8' } as const;
const bytesPerMiB = 2 ** 20;

/** One plot for the first round of each application. */
export function timePlot(name: string, { points, ...round }: HarvestRound): Plot {
  const windows: readonly LoadWindow[] = [
    round.undisturbed[0],
    round.settling,
    round.harvested,
    round.undisturbed[1],
  ];
  const loads: readonly LoadPoint[] = windows.flatMap((window) => window.points);
  const startMs = Math.min(...loads.map(({ atMs }) => atMs), ...points.map(({ atMs }) => atMs));
  const seconds = (atMs: number): number => (atMs - startMs) / 1000;
  const memory = points.flatMap(({ atMs, status }) => [
    { seconds: seconds(atMs), MiB: status.usageBytes / bytesPerMiB, kind: 'in memory' },
    { seconds: seconds(atMs), MiB: status.harvestedBytes / bytesPerMiB, kind: 'harvested' },
  ]);
  const latency = loads.map(({ atMs, p99Us }) => ({ seconds: seconds(atMs), ms: p99Us / 1000 }));
  const x = { field: 'seconds', type: 'quantitative', title: 'seconds' };
  const kinds = { domain: ['in memory', 'harvested'], range: [colors.memory, colors.harvested] };
  return {
    name: `harvest-${name}`,
    spec: {
      title: { text: `${name}: memory and p99 while it is harvested`, subtitle: 'the first round' },
      vconcat: [
        {
          width: 560,
          height: 180,
          data: { values: memory },
          mark: { type: 'line', strokeWidth: 2 },
          encoding: {
            x,
            y: { field: 'MiB', type: 'quantitative' },
            color: { field: 'kind', type: 'nominal', title: null, scale: kinds },
          },
        },
        {
          width: 560,
          height: 120,
          data: { values: latency },
          mark: { type: 'line', color: colors.p99, strokeWidth: 1.5 },
          encoding: { x, y: { field: 'ms', type: 'quantitative', title: 'p99, ms', scale: { type: 'log' } } },
        },
      ],
    },
  };
}

/** Harvested share against slowdown, a panel for each constant. */
export function ablationPlot(rows: readonly Row[]): Plot {
  const values = rows.map(({ name, contender, harvested_share = 0, slowdown_share = 0 }) => ({
    constant: name.replace('simulated: ', ''),
    value: contender,
    harvested: harvested_share * 100,
    slowdown: slowdown_share * 100,
  }));
  const bars = (field: string, title: string, color: string): object => ({
    facet: { field: 'constant', type: 'nominal', title: null },
    columns: 4,
    spec: {
      width: 130,
      height: 110,
      mark: { type: 'bar', color },
      encoding: {
        x: { field: 'value', type: 'nominal', sort: null, title: null, axis: { labelAngle: 0 } },
        y: { field, type: 'quantitative', title },
      },
    },
    resolve: { scale: { x: 'independent' } },
  });
  return {
    name: 'ablations',
    spec: {
      title: { text: "The harvester's constants, simulated" },
      data: { values },
      vconcat: [
        bars('harvested', 'harvested, %', colors.harvested),
        bars('slowdown', 'slower, %', colors.grey),
      ],
    },
  };
}
