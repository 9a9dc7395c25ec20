import { describe, expect, it } from 'vitest';
import type { SuiteResult } from '../suite.js';
import { thisHost } from './host.js';
import { markdownPage, summary, table } from './markdown.js';

const result: SuiteResult = {
  suite: 'test',
  setup: { records: 1000, data_bytes: 1 << 20, memory_limit_bytes: null, targets: { x: 2 } },
  notes: ['a note'],
  rows: [
    { name: 'get', contender: 'slow', ops_per_s: 10, ops_per_s_min: 9, ops_per_s_max: 11, p50_us: 1.5 },
    { name: 'get', contender: 'broken', failed: 'killed | so' },
    { name: 'get', contender: 'fast', ops_per_s: 12_345 },
  ],
  ratios: { x: 1.5 },
  checks: { x: false },
  plots: [{ name: 'plot', spec: {} }],
};

describe('markdownPage', () => {
  const page = markdownPage(result, thisHost());

  it('has every row, the fastest first, with the reason of a failure', () => {
    const lines = page.split('\n').filter((line) => /^\| (slow|fast|broken)/.test(line));
    expect(lines).toEqual([
      '| fast | 12,345 |  |',
      '| slow | 10 [9 – 11] | 1.50 |',
      '| broken | failed: killed \\| so |  |',
    ]);
  });

  it('says what was asked of each ratio, notes and pictures', () => {
    expect(page).toContain('| x | 1.500 | ≥ 2 | no |');
    expect(page).toContain('- a note');
    expect(page).toContain('![plot](plot.svg)');
    expect(page).toContain('- data: 1.0 MiB');
    expect(page).toContain('- memory limit bytes: none');
    expect(summary(result)).toContain('note: a note');
  });
});

describe('table', () => {
  it('has a cell for each column', () => {
    expect(table(['a', 'b'], [['1', '2']])).toBe('| a | b |\n| --- | --- |\n| 1 | 2 |');
  });
});
