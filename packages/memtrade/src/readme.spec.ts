/** The examples of the README run as they stand, and print what they say they print. */
import { describe, expect, it } from 'vitest';
import { promisedOutput, runSnippet, snippetsOf } from '../../../tools/readme-snippets.mjs';

const snippets = await snippetsOf(new URL('../README.md', import.meta.url));
const examples = snippets
  .filter(({ language }) => language === 'js')
  .map((snippet) => [`line ${snippet.line}`, snippet] as const);

describe('the examples of the README', () => {
  it.each(examples)('%s', async (_, snippet) => {
    expect(await runSnippet(snippet)).toBe(promisedOutput(snippet));
  });
});
