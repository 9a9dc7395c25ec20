import { spawnSync, type ChildProcess } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { skipWithout } from '@exopool/house';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { needsBuild, mainPath, runExopool } from './testing/run-exopool.js';

/** The shortest demo there is, with half a minute beside Redis before it. */
const demoTimeoutMs = 900_000;
const isRoot = process.getuid?.() === 0;
const asNobody = ['setpriv', '--reuid', '65534', '--regid', '65534', '--clear-groups', '--'];

let folder = '';
let data = '';

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'exopool-demo-test-'));
  await chmod(folder, 0o777);
  data = join(folder, 'data.jsonl');
  const line = (i: number): string => JSON.stringify({ key: `key ${i}`, value: `${i} `.repeat(150) });
  await writeFile(data, Array.from({ length: 5000 }, (_, i) => line(i)).join('\n'));
});
afterEach(() => rm(folder, { recursive: true }));

interface DemoJson {
  readonly suite: string;
  readonly rows: readonly { readonly name: string; readonly reads: number }[];
  readonly checks: Readonly<Record<string, boolean>>;
  readonly skipped: Readonly<Record<string, string>>;
}

/** Runs the demo with its state in `folder`, and looks at what every run has to have shown. */
async function runDemo(prefix: readonly string[] = []): Promise<DemoJson> {
  const json = join(folder, 'out.json');
  const words = ['demo', '--seconds', '10', '--headless', '--data', data, '--json', json];
  const outcome = await runExopool(words, { prefix, env: { TMPDIR: folder, XDG_RUNTIME_DIR: folder } });
  expect(outcome.stderr).not.toMatch(/EXOPOOL_|Error/);
  expect(outcome.status).toBe(0);
  expect(outcome.stdout).toMatch(/per second.*×/);
  const result = JSON.parse(await readFile(json, 'utf8')) as DemoJson;
  expect(result.suite).toBe('demo');
  expect(Object.values(result.checks)).not.toContain(false);
  for (const tier of ['memory', 'remote', 'store']) {
    expect(
      result.rows.find(({ name }) => name === `own disk, with remote tier, ${tier}`)?.reads,
    ).toBeGreaterThan(0);
  }
  expect(readdirSync(folder).filter((name) => name.startsWith('exopool-demo-'))).toEqual([]);
  return result;
}

describe('exopool demo', needsBuild, () => {
  it('shows every tier, and harvests where it can', { timeout: demoTimeoutMs }, async () => {
    const result = await runDemo();
    if (isRoot) expect(result.checks).toHaveProperty('cleaned_up', true);
  });

  it('runs without root, and says what it skipped', { timeout: demoTimeoutMs }, async (context) => {
    const readable = spawnSync(asNobody[0]!, [...asNobody.slice(1), 'test', '-r', mainPath]).status === 0;
    if (!isRoot) skipWithout(context, 'root', 'the demo of this user is tested above');
    if (!readable) skipWithout(context, 'open-checkout', 'this checkout can be read by root alone');
    const result = await runDemo(asNobody);
    expect(result.skipped['engines_equal']).toMatch(/\S/);
  });

  it('ends everything on Ctrl-C', async () => {
    const outcome = await stopWhenRunning('SIGINT');
    expect(outcome.status).toBe(130);
    expect(outcome.stderr).toMatch(/exopool: EXOPOOL_ABORTED: stopped by SIGINT\n$/);
    await expect.poll(() => outcome.descendants.filter(isRunning)).toEqual([]);
    expect(readdirSync(folder)).toEqual(['data.jsonl']);
  });

  it('leaves no process behind when it is killed, and no folder after the next run', async () => {
    const { descendants } = await stopWhenRunning('SIGKILL');
    await expect.poll(() => descendants.filter(isRunning)).toEqual([]);
    await stopWhenRunning('SIGINT');
    expect(readdirSync(folder)).toEqual(['data.jsonl']);
  });
});

/** Starts the demo, and sends it the signal once its broker serves. */
async function stopWhenRunning(signal: NodeJS.Signals): Promise<{
  status: number | null;
  stderr: string;
  descendants: number[];
}> {
  const before = new Set(readdirSync(folder));
  let descendants: number[] = [];
  const watch = async (child: ChildProcess): Promise<void> => {
    while (child.exitCode === null && child.signalCode === null) {
      const state = readdirSync(folder).find((name) => name.startsWith('exopool-demo-') && !before.has(name));
      if (state !== undefined && existsSync(join(folder, state, 'broker', 'tls', 'ca.pem'))) {
        descendants = childrenOf(child.pid!);
        child.kill(signal);
        return;
      }
      await sleep(20);
    }
  };
  const outcome = await runExopool(['demo', '--headless', '--data', data], {
    env: { TMPDIR: folder },
    onStart: (child) => void watch(child),
  });
  expect(descendants.length).toBeGreaterThan(0);
  return { ...outcome, descendants };
}

/** Found by their parent, wherever the kernel offers no list of children. */
function childrenOf(parent: number): number[] {
  const pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  return pids.filter((pid) => parentOf(pid) === parent).map(Number);
}

function parentOf(pid: string): number | undefined {
  try {
    const text = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return Number(text.slice(text.lastIndexOf(')') + 2).split(' ')[1]);
  } catch {
    return undefined;
  }
}

function isRunning(pid: number): boolean {
  return existsSync(`/proc/${pid}`);
}
