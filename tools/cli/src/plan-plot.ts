/** Plots a plan: misses over memory above, dollars over memory below, and the number to buy as a line through both. */
import { writeFile } from 'node:fs/promises';
import { toSvg } from '@exopool/bench/svg';
import { ExopoolError, formatBytes, GiB, toExopoolError } from '@exopool/shared';
import type { Plan } from './lease-plan.js';

const pointCount = 400;
const width = 640;

/**
 * Writes `.svg`, or `.html` with the picture in it.
 * @throws ExopoolError `EXOPOOL_USAGE` for another ending, or what the file system says.
 */
export async function writePlot(file: string, plan: Plan): Promise<void> {
  if (!/\.(svg|html)$/.test(file)) {
    throw new ExopoolError('EXOPOOL_USAGE', `--plot ${file}: write to a file that ends in .svg or .html`);
  }
  const svg = await toSvg(plotOf(plan));
  const page = `<!doctype html>\n<meta charset="utf-8">\n<title>Lease plan</title>\n${svg}\n`;
  await writeFile(file, file.endsWith('.svg') ? svg : page).catch((error: unknown) => {
    throw toExopoolError(error, `cannot write ${file}`);
  });
}

export function plotOf({ curve, exact, rows, purchase, slabBytes, workingSetBytes }: Plan): object {
  const end = Math.max(workingSetBytes, slabBytes);
  const named = [{ name: 'sampled', curve }, ...(exact ? [{ name: 'exact', curve: exact.curve }] : [])];
  const misses = named.flatMap((each) =>
    each.curve
      .points(end, pointCount)
      .map(({ bytes, missRatio }) => ({ curve: each.name, gib: bytes / GiB, missRatio })),
  );
  const money = rows.flatMap(({ bytes, value, cost }) => [
    { kind: 'saves', gib: bytes / GiB, dollars: value },
    { kind: 'costs', gib: bytes / GiB, dollars: cost },
  ]);
  const bought = { gib: (purchase.slabs * slabBytes) / GiB };
  const memory = { field: 'gib', type: 'quantitative', title: 'leased memory, GiB' };
  const rule = {
    data: { values: [bought] },
    mark: { type: 'rule', strokeDash: [4, 4] },
    encoding: { x: memory },
  };
  const line = (values: object[], field: string, title: string, color: string): object => ({
    width,
    height: 220,
    layer: [
      {
        data: { values },
        mark: { type: 'line', clip: true },
        encoding: {
          x: memory,
          y: { field, type: 'quantitative', title },
          color: { field: color, type: 'nominal', title: null },
        },
      },
      rule,
    ],
  });
  return {
    title: `${purchase.slabs} slabs of ${formatBytes(slabBytes)} are worth their price`,
    vconcat: [
      line(misses, 'missRatio', 'miss ratio', 'curve'),
      line(money, 'dollars', 'US dollars an hour', 'kind'),
    ],
    resolve: { scale: { color: 'independent' } },
  };
}
