/**
 * The README's code runs as it stands, and prints what it promises. The examples in TSDoc have right types: most change
 * the machine, or need a device or a lease, so they are not run.
 */
import { readdirSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import {
  checkSnippet,
  examplesOf,
  promisedOutput,
  runSnippet,
  snippetsOf,
  type Snippet,
} from '../../../tools/readme-snippets.mjs';

const named = (name: string, snippet: Snippet): [string, Snippet] => [`${name}:${snippet.line}`, snippet];

const blocks = (await snippetsOf(new URL('../README.md', import.meta.url)))
  .filter(({ language }) => language === 'js')
  .map((snippet) => named('README.md', snippet));

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.ts') && !name.endsWith('.spec.ts'))
  .sort();
const examples = (
  await Promise.all(
    sources.map(async (name) =>
      (await examplesOf(new URL(name, import.meta.url))).map((snippet) => named(name, snippet)),
    ),
  )
).flat();

describe('the code at', () => {
  it.each(blocks)('%s', async (_, snippet) => {
    expect(await runSnippet(snippet)).toBe(promisedOutput(snippet));
  });
});

describe('the example at', () => {
  // A class that no entry exports is shown without an import.
  it.each(examples.filter(([, { code }]) => code.includes('import ')))('%s', async (_, snippet) => {
    await checkSnippet(snippet);
  });
});
