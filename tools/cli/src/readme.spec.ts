/** The root README: its programs run as they stand, and the commands that it shows exist with all of their flags. */
import { readFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { promisedOutput, runSnippet, snippetsOf } from '../../../tools/readme-snippets.mjs';
import { needsBuild, runExopool } from './testing/run-exopool.js';

const readme = new URL('../../../README.md', import.meta.url);
const snippets = await snippetsOf(readme);
const text = await readFile(readme, 'utf8');

describe('the programs of the README', () => {
  const programs = snippets.filter(({ language }) => language === 'js');
  it.each(programs)('line $line', async (program) => {
    expect(await runSnippet(program)).toBe(promisedOutput(program));
  });
});

describe('the commands of the README', needsBuild, () => {
  // In blocks and in the text, such as `exopool bench lookup --quick`; the script answers `test` itself.
  const shown = [...text.matchAll(/(?:^\$ |`)(?:\.\/)?exopool ([^`#\n]+)/gm)].map(([, words]) =>
    words!.trim(),
  );
  const commands = [...new Set(shown)].filter((words) => words !== 'test');

  it.each(commands)('exopool %s', async (words) => {
    const flags = words.split(/\s+/).filter((word) => word.startsWith('--'));
    const { status, stdout } = await runExopool([...words.split(/\s+/), '--help']);
    expect(status).toBe(0);
    for (const flag of flags) expect(stdout).toContain(flag);
  });
});
