/** The examples of README and TSDoc run as they stand, and print what they promise. */
import { describe, expect, it } from 'vitest';
import { packageExamples, promisedOutput, runExample } from '../../../tools/readme-snippets.mjs';

const examples = await packageExamples(new URL('../', import.meta.url));

describe('the example at', () => {
  it.each(examples)('%s', async (_, snippet) => {
    expect(await runExample(snippet)).toBe(promisedOutput(snippet));
  });
});
