/** The examples of README and TSDoc run as they stand, and print what they promise. */
import { describe, expect, it } from 'vitest';
import { packageExamples, promisedOutput, runExample } from '../../../tools/readme-snippets.mjs';

const examples = await packageExamples(new URL('../', import.meta.url));

/** The engine that is chosen depends on the machine. */
const withoutEngine = (printed: string): string => printed.replace(/auto → [a-z-]+/, 'auto');

describe('the example at', () => {
  it.each(examples)('%s', async (_, snippet) => {
    expect(withoutEngine(await runExample(snippet))).toBe(withoutEngine(promisedOutput(snippet)));
  });
});
