/** DAMON in a folder that stands for the kernel's: what is written and read. What the kernel does: tools/vm. */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Damon, type DamonSettings } from './damon.js';
import { MachineJournal, undoLeftovers } from './journal.js';
import { undoChange } from './undo-change.js';

let folder: string;
let journal: MachineJournal;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-damon-'));
  journal = MachineJournal.open(join(folder, 'state'));
});
afterEach(async () => {
  await journal.undoAll();
  rmSync(folder, { recursive: true, force: true });
});

const settings: DamonSettings = {
  sampleUs: 10_000,
  aggregationUs: 100_000,
  regionsMin: 50,
  regionsMax: 500,
  idleMs: 250,
};

const context = '0/contexts/0';
const scheme = `${context}/schemes/0`;
const files: Readonly<Record<string, string>> = {
  nr_kdamonds: '0',
  '0/state': 'off',
  '0/contexts/nr_contexts': '0',
  [`${context}/avail_operations`]: 'vaddr\nfvaddr\npaddr',
  [`${context}/operations`]: 'paddr',
  [`${context}/targets/nr_targets`]: '0',
  [`${context}/targets/0/pid_target`]: '0',
  [`${context}/targets/0/regions/nr_regions`]: '0',
  [`${context}/targets/0/regions/0/start`]: '0',
  [`${context}/targets/0/regions/0/end`]: '0',
  [`${context}/monitoring_attrs/intervals/sample_us`]: '5000',
  [`${context}/monitoring_attrs/intervals/aggr_us`]: '100000',
  [`${context}/monitoring_attrs/nr_regions/min`]: '10',
  [`${context}/monitoring_attrs/nr_regions/max`]: '1000',
  [`${context}/schemes/nr_schemes`]: '0',
  [`${scheme}/action`]: 'stat',
  [`${scheme}/access_pattern/sz/max`]: '0',
  [`${scheme}/access_pattern/nr_accesses/max`]: '0',
  [`${scheme}/access_pattern/age/min`]: '0',
  [`${scheme}/access_pattern/age/max`]: '0',
  [`${scheme}/tried_regions/total_bytes`]: '0',
};

const admin = (): string => join(folder, 'admin');
const kdamonds = (): string => join(admin(), 'kdamonds');
const said = (name: string): string => readFileSync(join(kdamonds(), name), 'utf8').trim();

function say(name: string, text: string): void {
  const path = join(kdamonds(), name);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, `${text}\n`);
}

function fakeDamon(more: Readonly<Record<string, string>> = {}): void {
  for (const [name, text] of Object.entries({ ...files, ...more })) say(name, text);
}

it('watches one process, and tells what is idle', async () => {
  fakeDamon();
  const damon = await Damon.open(journal, settings, admin());
  expect([said('nr_kdamonds'), said('0/contexts/nr_contexts'), said('0/state')]).toEqual(['1', '1', 'off']);
  expect(said(`${context}/operations`)).toBe('fvaddr');
  expect(said(`${context}/monitoring_attrs/nr_regions/min`)).toBe('50');
  // 250 ms are more than two units of 100.
  expect(said(`${scheme}/access_pattern/age/min`)).toBe('3');
  expect(await damon.idleRanges()).toEqual([]);
  await damon.watch(7, []);
  expect(said('0/state')).toBe('off');
  const area = { start: 8192, end: 16_384 };
  await damon.watch(7, [area]);
  const target = `${context}/targets/0`;
  expect([said(`${target}/regions/0/start`), said(`${target}/regions/0/end`)]).toEqual(['8192', '16384']);
  expect([said(`${context}/targets/0/pid_target`), said('0/state')]).toEqual(['7', 'on']);
  const regions = [
    ['4096', '8192', '4'],
    ['140000000000000', '140000000008192', '11'],
    ['16384', '20480', '7'],
  ] as const;
  for (const [index, [start, end, age]] of regions.entries())
    for (const [name, text] of Object.entries({ start, end, age, nr_accesses: '0' }))
      say(`${scheme}/tried_regions/${index}/${name}`, text);
  expect(await damon.idleRanges()).toEqual([
    { start: 140_000_000_000_000, end: 140_000_000_008_192, ageMs: 1100 },
    { start: 16_384, end: 20_480, ageMs: 700 },
    { start: 4096, end: 8192, ageMs: 400 },
  ]);
  expect(said('0/state')).toBe('update_schemes_tried_regions');
  say('0/state', 'on');
  await damon.watch(7, [area]);
  expect(said('0/state')).toBe('commit');
  say('0/state', 'on');
  await damon.watch(8, [area]);
  expect([said(`${target}/pid_target`), said('0/state')]).toEqual(['8', 'on']);
  await journal.undoAll();
  expect([said('0/state'), said('nr_kdamonds')]).toEqual(['off', '0']);
});

it('is undone after a crash, unless it is not ours any more', async () => {
  fakeDamon();
  const mark = 3_000_000_000;
  const change = { kind: 'damon', kdamonds: kdamonds(), mark } as const;
  const undo = async (more: Readonly<Record<string, string>>): Promise<string> => {
    fakeDamon(more);
    await undoChange(change);
    return said('nr_kdamonds');
  };
  const marked = { nr_kdamonds: '1', [`${scheme}/access_pattern/age/max`]: String(mark) };
  expect(await undo({ ...marked, '0/state': 'on' })).toBe('0');
  expect(said('0/state')).toBe('off');
  expect(await undo(marked)).toBe('0');
  // Killed before it could leave its mark.
  expect(await undo({ nr_kdamonds: '1' })).toBe('0');
  expect(await undo({ nr_kdamonds: '1', [`${context}/targets/nr_targets`]: '1' })).toBe('1');
  expect(await undo({ nr_kdamonds: '1', '0/state': 'on' })).toBe('1');
  expect(await undo({ ...marked, [`${scheme}/access_pattern/age/max`]: '4294967295' })).toBe('1');
  expect(await undo({ ...marked, nr_kdamonds: '2' })).toBe('2');
  rmSync(admin(), { recursive: true });
  await undoChange(change);
  expect(existsSync(admin())).toBe(false);
  expect(await undoLeftovers(join(folder, 'none'))).toEqual([]);
});

it('notices that somebody else took it', async () => {
  fakeDamon();
  const damon = await Damon.open(journal, settings, admin());
  say(`${scheme}/access_pattern/age/max`, '12');
  await expect(damon.watch(7, [{ start: 0, end: 4096 }])).rejects.toMatchObject({
    code: 'EXOPOOL_UNSUPPORTED',
  });
  await expect(damon.idleRanges()).rejects.toMatchObject({ code: 'EXOPOOL_UNSUPPORTED' });
  expect(said(`${context}/targets/0/pid_target`)).toBe('0');
});

it('says what is missing, and changes nothing then', async () => {
  const refusal = async (): Promise<unknown> =>
    Damon.open(journal, settings, admin()).catch((error: unknown) => error);
  expect(String(await refusal())).toContain('CONFIG_DAMON_SYSFS');
  fakeDamon({ nr_kdamonds: '1' });
  expect(String(await refusal())).toContain('somebody else');
  expect(said('nr_kdamonds')).toBe('1');
  fakeDamon({ [`${context}/avail_operations`]: 'paddr' });
  expect(String(await refusal())).toContain('CONFIG_DAMON_VADDR');
  expect(said('nr_kdamonds')).toBe('0');
});
