/**
 * The README's code runs as it stands, and prints what it promises. The examples in TSDoc have right types: most change
 * the machine, or need a device or a lease, so they are not run.
 */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  checkSnippets,
  examplesOf,
  promisedOutput,
  runSnippet,
  snippetsOf,
} from '../../../tools/readme-snippets.mjs';

const blocks = (await snippetsOf(new URL('../README.md', import.meta.url)))
  .filter(({ language }) => language === 'js')
  .map((snippet) => [`README.md:${snippet.line}`, snippet] as const);

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
  .sort();
const examples = (
  await Promise.all(sources.map((name) => examplesOf(new URL(name, import.meta.url))))
).flat();

describe('the code at', () => {
  it.each(blocks)('%s', async (_, snippet) => {
    expect(await runSnippet(snippet)).toBe(promisedOutput(snippet));
  });
});

it('examples in TSDoc have right types', async () => {
  // A class that no entry exports is shown without an import.
  const modules = examples.filter(({ code }) => code.includes('import '));
  expect(modules.length).toBeGreaterThan(0);
  await checkSnippets(modules);
});
