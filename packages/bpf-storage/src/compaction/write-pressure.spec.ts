import { describe, expect, it } from 'vitest';
import { tablesGood } from './compaction-policy.js';
import { slowBytesPerSecond, slowTables, stopTables, writeRate } from './write-pressure.js';

describe('writeRate', () => {
  it('is unlimited while compaction keeps up, and falls by half with each table from then on', () => {
    expect(slowTables).toBeGreaterThan(tablesGood);
    expect([0, tablesGood, slowTables - 1].map(writeRate)).toEqual([Infinity, Infinity, Infinity]);
    expect([slowTables, slowTables + 1].map(writeRate)).toEqual([slowBytesPerSecond, slowBytesPerSecond / 2]);
    expect(writeRate(stopTables)).toBe(128 * 1024);
    expect(writeRate(10 * stopTables)).toBe(writeRate(stopTables));
  });
});
