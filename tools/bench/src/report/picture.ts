/**
 * The picture of a suite for a README: the same figure twice, for light pages and for dark ones. The page chooses with
 * `<picture>` and `prefers-color-scheme`, so neither has a background.
 */
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import type { SuiteResult } from '../suite.js';
import { toSvg } from './svg.js';
import { themes, type Theme } from './theme.js';

/**
 * Writes `PATH-light.svg` and `PATH-dark.svg`.
 * @returns the paths of the files.
 * @throws ExopoolError `EXOPOOL_USAGE` for a suite that has no picture, or for a run that measured too little for one.
 */
export async function writePicture({ suite, picture }: SuiteResult, path: string): Promise<string[]> {
  if (picture === undefined) {
    const message = `this run of suite ${suite} measured nothing that --picture draws; lookup draws itself and its peers`;
    throw new ExopoolError('EXOPOOL_USAGE', message);
  }
  const files: string[] = [];
  try {
    await mkdir(dirname(path), { recursive: true });
    for (const theme of themes) {
      const file = `${path}-${theme.name}.svg`;
      await writeFile(file, `${await toSvg(picture(theme), styleOf(theme))}\n`);
      files.push(file);
    }
  } catch (error) {
    throw toExopoolError(error, `cannot write the picture ${path}`);
  }
  return files;
}

function styleOf({ text, faint, grid }: Theme): object {
  return {
    background: 'transparent',
    axis: { labelColor: text, titleColor: faint, gridColor: grid },
    title: { color: text, subtitleColor: faint },
    legend: { labelColor: text },
  };
}
