/** The examples of the READMEs run as they stand, and print what they say they print. */
import { describe, expect, it } from 'vitest';
import {
  checkSnippet,
  promisedOutput,
  runSnippet,
  snippetsOf,
  withoutTypes,
  type Snippet,
} from '../../../tools/readme-snippets.mjs';

/** The engine that is chosen depends on the machine. */
const withoutEngine = (printed: string): string => printed.replace(/auto → [a-z-]+/, 'auto');

async function examplesOf(readme: string): Promise<(readonly [string, Snippet])[]> {
  const snippets = await snippetsOf(new URL(readme, import.meta.url));
  const examples = snippets.filter(({ language }) => language === 'js' || language === 'ts');
  return examples.map((snippet) => [`line ${snippet.line}, ${snippet.language}`, snippet]);
}

describe.each(['../README.md', '../../shared/README.md'])('the examples of %s', async (readme) => {
  it.each(await examplesOf(readme))('%s', async (_, snippet) => {
    const hasTypes = snippet.language === 'ts';
    if (hasTypes) await checkSnippet(snippet);
    const printed = await runSnippet(hasTypes ? withoutTypes(snippet) : snippet);
    expect(withoutEngine(printed)).toBe(withoutEngine(promisedOutput(snippet)));
  });
});
