import { once } from 'node:events';
import { spawn } from 'node:child_process';
import { expect, it } from 'vitest';
import { isRunning, processIdentity } from './process.js';

it('tells a process from a later one with its pid', async () => {
  const child = spawn('sleep', ['60']);
  await once(child, 'spawn');
  const identity = processIdentity(child.pid!)!;
  expect(isRunning(identity)).toBe(true);
  expect(isRunning({ ...identity, startTicks: identity.startTicks + 1 })).toBe(false);
  expect(isRunning({ ...identity, bootId: 'another boot' })).toBe(false);
  child.kill('SIGKILL');
  await once(child, 'exit');
  expect(isRunning(identity)).toBe(false);
  expect(processIdentity(child.pid!)).toBeUndefined();
});

it('knows itself', () => {
  expect(isRunning(processIdentity(process.pid)!)).toBe(true);
  expect(processIdentity(2 ** 30)).toBeUndefined();
});
