import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { readMemoryInfo, readMemoryPressure } from './memory-info.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-proc-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

it('reads meminfo in bytes', () => {
  const file = join(folder, 'meminfo');
  writeFileSync(
    file,
    'MemTotal:  100 kB\nMemFree:  20 kB\nMemAvailable:  50 kB\nSwapTotal:  8 kB\nSwapFree:  4 kB\n',
  );
  expect(readMemoryInfo(file)).toEqual({
    totalBytes: 102_400,
    freeBytes: 20_480,
    availableBytes: 51_200,
    swapTotalBytes: 8192,
    swapFreeBytes: 4096,
  });
  const here = readMemoryInfo();
  expect(here.availableBytes).toBeGreaterThan(0);
  expect(here.availableBytes).toBeLessThanOrEqual(here.totalBytes);
  expect(() => readMemoryInfo(join(folder, 'none'))).toThrow(/cannot read/);
});

it('reads pressure where there is any', () => {
  const file = join(folder, 'memory.pressure');
  writeFileSync(
    file,
    'some avg10=1.25 avg60=0.1 avg300=0 total=9\nfull avg10=0.50 avg60=0 avg300=0 total=3\n',
  );
  expect(readMemoryPressure(file)).toEqual({ someAvg10: 1.25, fullAvg10: 0.5 });
  expect(readMemoryPressure(join(folder, 'none'))).toBeUndefined();
});
