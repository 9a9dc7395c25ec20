/** How fast foreign formats are read: one iteration is 10,000 entries of some 500 bytes. */
import { bench, describe } from 'vitest';
import { inChunks, toList } from '../testing/chunks.js';
import { readCsv } from './csv.js';
import { readJsonLines } from './json-lines.js';
import { readPackagesIndex } from './packages-index.js';

const rows = Array.from({ length: 10_000 }, (_, row) => ({ key: `key-${row}`, value: `${row} `.repeat(80) }));
const chunkSizes = [64 * 1024];
const jsonLines = Buffer.from(rows.map((row) => JSON.stringify(row)).join('\n'));
const csv = Buffer.from(`key,value\n${rows.map(({ key, value }) => `${key},${value}`).join('\n')}`);
const packages = Buffer.from(
  rows.map(({ key, value }) => `Package: ${key}\nDescription: ${value}\n`).join('\n'),
);

describe('10,000 entries', () => {
  bench('JSON Lines', async () => {
    await toList(readJsonLines('bench', inChunks(jsonLines, chunkSizes)));
  });
  bench('CSV', async () => {
    await toList(readCsv('bench', inChunks(csv, chunkSizes), { key: 'key' }));
  });
  bench('package index', async () => {
    await toList(readPackagesIndex('bench', inChunks(packages, chunkSizes)));
  });
});
