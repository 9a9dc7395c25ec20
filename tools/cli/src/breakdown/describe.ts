/** Prints a breakdown as text, beside the paper's figures. */
import { formatCount } from '@exopool/shared';
import type { ReadTrace } from '@exopool/native';
import { textTable } from '../text-table.js';
import { chainTimes, softwareShare, type Breakdown, type ChainTimes } from './breakdown.js';
import { sumOf, type Layer } from './layers.js';
import { paperChain, paperChainDepth, paperLayersNs } from './paper.js';

export function describeBreakdown(trace: ReadTrace, breakdown: Breakdown, depth: number): string {
  return [layerTable(breakdown), '', chainTable(breakdown, depth), '', ...remarks(trace, breakdown)].join(
    '\n',
  );
}

function layerTable({ groups, layersNs, totalNs }: Breakdown): string {
  const paperTotalNs = sumOf(paperLayersNs);
  const row = (name: string, ns: number, paperNs: number): string[] => [
    name,
    formatCount(ns).padStart(9),
    percent(ns / totalNs),
    // The paper has no figure for the wake-up.
    paperNs === 0 ? '' : formatCount(paperNs).padStart(9),
    paperNs === 0 ? '' : percent(paperNs / paperTotalNs),
  ];
  const sum = (group: readonly Layer[], of: Breakdown['layersNs']): number =>
    group.reduce((total, layer) => total + of[layer], 0);
  return textTable([
    ['layer', '  ns/read', ' share', ' paper ns', ' share'],
    ...groups.map((group) => row(group.join(' + '), sum(group, layersNs), sum(group, paperLayersNs))),
    row('all', totalNs, paperTotalNs),
  ]);
}

function chainTable(breakdown: Breakdown, depth: number): string {
  const times = chainTimes(breakdown, depth);
  const row = (from: string, time: keyof ChainTimes): string[] => [
    from,
    formatCount(times[time]).padStart(9),
    `${(times.userNs / times[time]).toFixed(2)}x`.padStart(6),
    formatCount(paperChain[time]).padStart(9),
    `${(paperChain.userNs / paperChain[time]).toFixed(2)}x`.padStart(6),
  ];
  return textTable([
    [
      `${depth} reads, the next one issued from`,
      '       ns',
      '      ',
      ' paper ns',
      `(its ${paperChainDepth} reads)`,
    ],
    row('user level', 'userNs'),
    row('the system call (at best)', 'syscallNs'),
    row("the driver's completion handler (at best)", 'driverNs'),
  ]);
}

function remarks(trace: ReadTrace, breakdown: Breakdown): string[] {
  const { overheadNs, callProbeNs, innerProbeNs, passages, unexplained } = breakdown;
  const { fileSystem, device } = trace.route;
  const share = softwareShare(breakdown);
  const lines = [
    `${fileSystem} on ${device}, 4 KiB a read past the page cache; the middle half of ${trace.traced.length} reads`,
    `looking cost ${overheadNs > 0 ? `${formatCount(overheadNs)} ns a read` : 'less than reads vary'} ` +
      `(${passages.toFixed(1)} probes: ${callProbeNs.toFixed(0)} ns at the system call, ${innerProbeNs.toFixed(0)} ns ` +
      `further in), which is not in the table; ${percent(unexplained).trim()} of the time was shared out in proportion`,
  ];
  if (share !== undefined) lines.unshift(`software: ${percent(share).trim()} of a read (the paper: 48.6 %)`);
  if (trace.tracepointsOnly !== undefined)
    lines.push(
      `functions were not traced, so layers are counted together or from the next tracepoint on: ${trace.tracepointsOnly}`,
    );
  return lines;
}

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`.padStart(6);
}
