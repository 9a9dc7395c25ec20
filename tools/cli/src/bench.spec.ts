/** `exopool bench` from end to end: two contenders and a little data, every file of the report, nothing left behind. */
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { defaultStateDir } from '@exopool/native';
import { needsBuild, runExopool } from './testing/run-exopool.js';

const small = ['--records', '4000', '--rounds', '1', '--seconds', '0.02'];
/** Ten seconds on an idle machine. */
const wholeRunMs = 600_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-bench-spec-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Report {
  readonly suite: string;
  readonly rows: readonly {
    readonly name: string;
    readonly contender: string;
    readonly ops_per_s?: number;
  }[];
  readonly ratios: Readonly<Record<string, number>>;
  readonly checks: Readonly<Record<string, boolean>>;
}

describe('exopool bench lookup', needsBuild, () => {
  it(
    'measures two contenders and writes JSON, Markdown and SVG',
    async () => {
      const out = join(folder, 'out');
      const json = join(folder, 'result.json');
      const words = ['bench', 'lookup', '--quick', '--only', 'exopool,lmdb tuned', ...small];
      let pid = 0;
      const { status, stderr, stdout } = await runExopool(
        [...words, '--dir', folder, '--out', out, '--json', json],
        { onStart: (child) => (pid = child.pid!) },
      );
      expect(stderr.split('\n').filter((line) => !line.startsWith('exopool: ['))).toEqual(['']);
      expect(status).toBe(0);
      const report = JSON.parse(readFileSync(json, 'utf8')) as Report;
      expect(report.suite).toBe('lookup');
      expect(new Set(report.rows.map(({ contender }) => contender))).toContain('lmdb tuned');
      const unmeasured = report.rows.filter(({ ops_per_s }) => !(ops_per_s! > 0));
      expect(unmeasured).toEqual([]);
      expect(Object.keys(report.ratios)).toContain('cold_get_vs_best_peer_tuned');
      expect(Object.keys(report.checks)).toEqual(Object.keys(report.ratios));
      expect(stdout).toContain('cold_get_vs_best_peer_tuned');
      expect(JSON.parse(readFileSync(join(out, 'report.json'), 'utf8'))).toEqual(report);
      expect(readFileSync(join(out, 'report.md'), 'utf8')).toContain('| lmdb tuned |');
      expect(readFileSync(join(out, 'cold-gets.svg'), 'utf8')).toMatch(/^<svg/);
      expect(readdirSync(folder).sort()).toEqual(['out', 'result.json']);
      expect(cgroupsOf(pid)).toEqual([]);
    },
    wholeRunMs,
  );

  it.each(['SIGINT', 'SIGKILL'] as const)('leaves nothing behind when it is ended by %s', async (signal) => {
    // It is ended long before it is done.
    const words = ['bench', 'lookup', '--only', 'lmdb tuned', '--dir', folder, ...small, '--seconds', '60'];
    let pid = 0;
    const { status, stderr } = await runExopool(words, {
      onStart: (child) => {
        pid = child.pid!;
        child.stderr?.on('data', (chunk: Buffer) => {
          if (chunk.includes('reads under')) child.kill(signal);
        });
      },
    });
    expect(status).toBe(signal === 'SIGINT' ? 130 : null);
    if (signal === 'SIGINT') expect(stderr).toContain('EXOPOOL_ABORTED');
    await expect.poll(() => readdirSync(folder)).toEqual([]);
    await expect.poll(() => cgroupsOf(pid)).toEqual([]);
    await expect.poll(() => journalsOf(pid)).toEqual([]);
  });

  it('refuses suites, contenders and sizes that there are not', async () => {
    const refusals = [['nosuch'], ['lookup', '--only', 'oracle'], ['lookup', '--records', '-1']];
    refusals.push(
      ['cache', '--only', 'oracle'],
      ['harvest', '--only', 'redis,oracle'],
      ['cache', '--engines'],
    );
    for (const words of refusals) {
      const { status, stderr } = await runExopool(['bench', ...words]);
      expect(stderr).toContain('EXOPOOL_USAGE');
      expect(status).toBe(2);
    }
  });
});

function cgroupsOf(pid: number): string[] {
  const place = ['/sys/fs/cgroup/memory', '/sys/fs/cgroup'].find(existsSync);
  return place === undefined
    ? []
    : readdirSync(place).filter((name) => name.startsWith(`exopool-bench-${pid}-`));
}

function journalsOf(pid: number): string[] {
  const place = defaultStateDir();
  return existsSync(place) ? readdirSync(place).filter((name) => name.startsWith(`journal-${pid}-`)) : [];
}
