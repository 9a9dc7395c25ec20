import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { makePlan, describePlan, type PlanWish } from './lease-plan.js';
import { writePlot } from './plan-plot.js';
import { readTrace } from './readers/trace.js';
import { needsBuild, runExopool } from './testing/run-exopool.js';

const MiB = 1024 * 1024;
let folder: string;
let file: string;

/** A loop over 256 values of 64 KiB: 16 MiB, all misses with less. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-plan-'));
  file = join(folder, 'trace.csv');
  const rows = Array.from({ length: 5120 }, (_, use) => `${use % 256},65536`);
  writeFileSync(file, `key,bytes\n${rows.join('\n')}\n`);
});
afterEach(() => rmSync(folder, { recursive: true }));

const wish: PlanWish = {
  price: 1,
  waitingPrice: 1,
  missMs: 1,
  hitMs: 0,
  rate: 1000,
  slabs: 100,
  slabMib: 4,
  held: 0,
  exact: true,
};

describe('a plan', () => {
  it('says what is worth its price, and why', async () => {
    const plan = makePlan(wish, await readTrace(file, 'key', 'bytes'));
    expect(plan.purchase).toMatchObject({ slabs: 4, reason: 'worth' });
    expect(plan.purchase.value).toBeCloseTo(0.95, 2);
    expect(plan.purchase.cost).toBeCloseTo(16 / 1024, 6);
    expect(plan.exact?.meanAbsoluteError).toBeLessThan(0.001);
    expect(plan.workingSetBytes).toBeLessThanOrEqual(16.1 * MiB);
    expect(describePlan(plan)).toMatch(/^lease 4 slabs \(16.0 MiB\): saves 0.95000 .* 0.01563 dollars/m);
    expect(describePlan(plan)).toMatch(/^4 +16.0 MiB +5.0 % .*<- this$/m);
  });

  it('is plotted, as a picture or a page', async () => {
    const plan = makePlan(wish, await readTrace(file, 'key', 'bytes'));
    for (const name of ['plan.svg', 'plan.html']) {
      const target = join(folder, name);
      await writePlot(target, plan);
      const text = readFileSync(target, 'utf8');
      expect(text).toMatch(name === 'plan.svg' ? /^<svg / : /^<!doctype html>/);
      expect(text).toMatch(/miss ratio/);
      expect(text).toMatch(/4 slabs of 4.0 MiB are worth their price/);
    }
    await expect(writePlot(join(folder, 'plan.png'), plan)).rejects.toMatchObject({ code: 'EXOPOOL_USAGE' });
  });

  it('names what is wrong with a trace', async () => {
    await expect(readTrace(file, 'lbn', 'bytes')).rejects.toThrow(/no column "lbn" \(columns: key, bytes\)/);
    writeFileSync(file, 'key,bytes\na,many\n');
    await expect(readTrace(file, 'key', 'bytes')).rejects.toMatchObject({ code: 'EXOPOOL_INPUT' });
    writeFileSync(file, 'key,bytes\n');
    await expect(readTrace(file, 'key', 'bytes')).rejects.toThrow(/no requests/);
  });

  it('is printed by the command, whose options are its own', needsBuild, async () => {
    const words = ['consumer', 'plan', '--trace', file, '--key-column', 'key', '--price', '1', '--json'];
    const more = ['--slab-mib', '4', '--miss-ms', '1', '--waiting-price', '1', '--budget', '0.01'];
    const { status, stdout, stderr } = await runExopool([...words, ...more]);
    expect([status, stderr]).toEqual([0, '']);
    expect(JSON.parse(stdout)).toMatchObject({ requests: 5120, purchase: { slabs: 0, reason: 'budget' } });
    const missing = await runExopool(['consumer', 'plan', '--price', '1']);
    expect(missing).toMatchObject({ status: 2 });
    expect(missing.stderr).toMatch(/trace is needed: give --trace/);
  });
});
