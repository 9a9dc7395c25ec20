/** Plots of suite cache: rates and latencies of 1 KiB values, the loss of a producer, and swap, if measured. */
import type { Plot, Row } from '../suite.js';
import type { Loss } from './loss.js';
import { inFlight, ratioBytes, rowName, sequential } from './plan.js';
import { swapDisks } from './swap.js';

const [blue, grey, red] = ['#0b6bcb', '#8c99a8', '#d1495b'];

export function cachePlots(rows: readonly Row[], loss: Loss | undefined): Plot[] {
  const bars = (name: string, title: string, of: Row['name'], field: 'ops_per_s' | 'p50_us'): Plot[] => {
    const values = rows
      .filter((row) => row.name === of && row[field] !== undefined)
      .map(({ contender, [field]: value }) => ({ contender, value }));
    return values.length === 0 ? [] : [barPlot(name, title, values, field === 'ops_per_s' ? '1/s' : 'µs')];
  };
  return [
    ...bars('cache-rate', 'Gets of 1 KiB, 64 in flight', rowName(ratioBytes, inFlight), 'ops_per_s'),
    ...bars(
      'cache-latency',
      'Gets of 1 KiB, one after the other: p50',
      rowName(ratioBytes, sequential),
      'p50_us',
    ),
    ...swapDisks.flatMap(({ name, ratio }) =>
      bars(`cache-swap-${ratio}`, `${name}: visits of pages`, name, 'ops_per_s'),
    ),
    ...(loss === undefined ? [] : [lossPlot(loss)]),
  ];
}

function barPlot(
  name: string,
  title: string,
  values: readonly { readonly contender: string }[],
  unit: string,
): Plot {
  return {
    name,
    spec: {
      title,
      width: 480,
      data: { values },
      mark: { type: 'bar' },
      encoding: {
        y: { field: 'contender', type: 'nominal', title: null, sort: null },
        x: { field: 'value', type: 'quantitative', title: unit },
        color: {
          condition: { test: 'test(/^(exopool|leased)/, datum.contender)', value: blue },
          value: grey,
        },
      },
    },
  };
}

function lossPlot({ points }: Loss): Plot {
  const x = { field: 'ms', type: 'quantitative', title: 'ms since one of two producers was killed' };
  const line = (field: string, title: string, color: string | undefined): object => ({
    width: 480,
    height: 120,
    mark: { type: 'line', color },
    encoding: { x, y: { field, type: 'quantitative', title } },
  });
  return {
    name: 'cache-loss',
    spec: {
      title: 'A producer is killed under load',
      data: { values: points },
      vconcat: [line('hitShare', 'share of hits', blue), line('p99Us', 'p99, µs', red)],
    },
  };
}
