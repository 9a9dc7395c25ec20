import { describe, expect, it } from 'vitest';
import { closingTable } from './closing-table.js';
import { describeState } from './live-view.js';
import { ratiosOf, toJson } from './result.js';
import { consumerFigures, demoResult, tierSummary } from './testing/figures.js';

describe('closing table', () => {
  it('shows both modes, every tier, and what was skipped', () => {
    const text = closingTable(demoResult());
    expect(text).toContain('test data: 60,000 entries, 50.0 MiB; 5.0 MiB of local memory, 128 MiB leased');
    expect(text).toMatch(/per second.*1,050 \(1,000 … 1,100\).*2,150 \(2,000 … 2,300\).*2\.05×/);
    expect(text).toMatch(/from remote.* - .*30\.0 %, p50 50\.0, p99 100/);
    expect(text).toMatch(/Redis p50 \/ p99, µs.*120 \/ 300 before, 125 \/ 300 while harvested/);
    expect(text).toMatch(/engines_equal.*skipped: no root/);
  });

  it('is honest about a remote tier that does not help', () => {
    const result = demoResult();
    const { with: ours, without: theirs } = result.disks.own;
    const swapped = { ...result, disks: { ...result.disks, own: { with: theirs, without: ours } } };
    expect(closingTable(swapped)).toMatch(/per second.*0\.49×/);
  });

  it('copes with a run that showed nothing', () => {
    const none = { readsPerSecond: [], latency: tierSummary({ memory: 0, remote: 0, store: 0 }) };
    const nothing = { with: none, without: none };
    const disks = { own: nothing, limited: nothing };
    const skipped = { limitedSkipped: 'no cgroup', redis: undefined, redisSkipped: 'no root' };
    const empty = { ...demoResult(), ...skipped, disks };
    expect(closingTable(empty)).toContain('not measured: no root');
    expect(closingTable(empty)).toContain('not measured: no cgroup');
    expect(ratiosOf(empty)).toEqual({});
  });
});

describe('JSON', () => {
  it('has rows, ratios and checks, and names what was skipped', () => {
    const json = JSON.parse(JSON.stringify(toJson(demoResult()))) as Record<string, unknown>;
    expect(json).toMatchObject({
      suite: 'demo',
      checks: { values_correct: true },
      skipped: { engines_equal: 'no root' },
      ratios: { reads_per_second_own_disk: 2150 / 1050 },
    });
    expect(json['rows']).toContainEqual({
      name: 'own disk, with remote tier, remote',
      tier: 'remote',
      reads: 30,
      share: 0.3,
      p50_us: 50,
      p99_us: 100,
    });
  });
});

describe('live view', () => {
  it('leaves out what is not there yet', () => {
    expect(describeState({ phase: 'loading' }, 2.4)).toEqual(['loading (2 s)']);
    const lines = describeState(
      { phase: 'reading', consumer: () => consumerFigures(), harvestedBytes: () => 64 << 20 },
      9,
    );
    expect(lines[1]).toBe(
      'reads      1,234/s: memory 60 % (p50 1.0, p99 2.0 µs), remote 30 % (p50 50.0, p99 100 µs), ' +
        'store 10 % (p50 200, p99 400 µs)',
    );
    expect(lines.at(-1)).toBe('harvested  64.0 MiB');
  });
});
