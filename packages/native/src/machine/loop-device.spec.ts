import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { MachineJournal } from './journal.js';
import { addLoopDevice } from './loop-device.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-loop-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('a file that is there already is refused, and is still there when all is undone', async () => {
  const file = join(folder, 'of-somebody');
  writeFileSync(file, 'theirs');
  const journal = MachineJournal.open(join(folder, 'state'));
  await expect(addLoopDevice(journal, file, 1 << 20)).rejects.toThrow(file);
  await journal.undoAll();
  expect(existsSync(file)).toBe(true);
});
