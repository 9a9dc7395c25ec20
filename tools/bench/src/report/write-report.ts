/** Writes a result to files: report.json, report.md and plots. */
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toExopoolError } from '@exopool/shared';
import type { SuiteResult } from '../suite.js';
import { thisHost } from './host.js';
import { markdownPage } from './markdown.js';
import { toSvg } from './svg.js';

export function toJson({ suite, setup, notes, rows, ratios, checks }: SuiteResult): object {
  return { suite, host: thisHost(), setup, notes, rows, ratios, checks };
}

/** @returns the paths of the files. */
export async function writeReport(result: SuiteResult, folder: string): Promise<string[]> {
  const files: [string, string][] = [
    ['report.json', `${JSON.stringify(toJson(result), undefined, 2)}\n`],
    ['report.md', markdownPage(result, thisHost())],
  ];
  for (const { name, spec } of result.plots) files.push([`${name}.svg`, await toSvg(spec)]);
  try {
    await mkdir(folder, { recursive: true });
    for (const [name, text] of files) await writeFile(join(folder, name), text);
  } catch (error) {
    throw toExopoolError(error, `cannot write the report in ${folder}`);
  }
  return files.map(([name]) => join(folder, name));
}
