/** The examples of the README run, and print what they say they print. */
import { readFile } from 'node:fs/promises';
import { inspect } from 'node:util';
import ts from 'typescript';
import { describe, expect, it } from 'vitest';
import { Store } from './store.js';
import { inFolder } from './testing/folder.js';

const readme = await readFile(new URL('../README.md', import.meta.url), 'utf8');
const examples = [...readme.matchAll(/^```ts\n(.*?)^```/gms)].map(([, code]) => code!);

/** Runs `code` with its stores in `folder`. @returns what it prints. */
async function run(code: string, folder: string): Promise<string> {
  const { outputText } = ts.transpileModule(
    code.replace(/^import .*$/gm, '').replaceAll("'/tmp/", `'${folder}/`),
    { compilerOptions: { target: ts.ScriptTarget.ES2023, module: ts.ModuleKind.ESNext } },
  );
  const printed: string[] = [];
  const log = (...items: unknown[]): void => {
    printed.push(items.map((item) => (typeof item === 'string' ? item : inspect(item))).join(' '));
  };
  const body = `return (async () => {${outputText}})()`;
  // eslint-disable-next-line @typescript-eslint/no-implied-eval, @typescript-eslint/no-unsafe-call
  await new Function('Store', 'console', body)(Store, { log });
  return printed.join(', then ');
}

describe('the examples of the README', () => {
  it.each(examples)('%#', async (code) => {
    await inFolder(async (folder) => {
      const promised = [...code.matchAll(/console\.log\(.*\/\/ (.*)$/gm)].map(([, text]) => text!);
      const printed = await run(code, folder);
      // The engine that is chosen depends on the machine.
      const engine = /auto → [a-z-]+/;
      expect(printed.replace(engine, 'auto')).toBe(promised.join(', then ').replace(engine, 'auto'));
    });
  });
});
