/** How fast foreign formats are read: one iteration is 10,000 entries of some 500 bytes. */
import { bench, describe } from 'vitest';
import { inChunks } from '../testing/chunks.js';
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

async function drain(entries: AsyncIterable<unknown>): Promise<void> {
  for await (const entry of entries) entry;
}

describe('10,000 entries', () => {
  bench('JSON Lines', () => drain(readJsonLines('bench', inChunks(jsonLines, chunkSizes))));
  bench('CSV', () => drain(readCsv('bench', inChunks(csv, chunkSizes), { key: 'key' })));
  bench('package index', () => drain(readPackagesIndex('bench', inChunks(packages, chunkSizes))));
});
