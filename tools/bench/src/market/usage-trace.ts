/**
 * Memory usage of virtual machines over time, from a file `vm,step,cpu_pct,mem_pct` (also as .gz) with a line a VM and
 * step of five minutes: the form of the public aggregation of Google's 2011 trace.
 */
import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { createGunzip } from 'node:zlib';
import { ExopoolError, toExopoolError } from '@exopool/shared';

/** Share of memory in use by step, 0..1; NaN where the file has no line. */
export type UsageTrace = readonly Float64Array[];

const header = ['vm', 'step', 'cpu_pct', 'mem_pct'];
/** Limits of a trace that fits into memory: a month of five-minute steps, and more machines than published markets. */
const stepsMax = 31 * 288;
const valuesMax = 100_000_000;

/** @throws ExopoolError `EXOPOOL_INPUT` with the line, `EXOPOOL_NOT_FOUND` and others of the file system. */
export async function readUsage(path: string): Promise<UsageTrace> {
  const series = new Map<string, number[]>();
  let line = 0;
  let values = 0;
  try {
    for await (const text of linesOf(path)) {
      line += 1;
      if (line === 1) requireHeader(text, path);
      else if (text !== '') {
        const { vm, step, used } = parseLine(text, path, line);
        let own = series.get(vm);
        if (own === undefined) series.set(vm, (own = []));
        while (own.length < step) own.push(NaN);
        if (Number.isNaN(own[step] ?? NaN)) own[step] = used;
        else throw wrong(path, line, `VM ${vm} has step ${step} twice`);
        if ((values += 1) > valuesMax) throw wrong(path, line, `more than ${valuesMax} values`);
      }
    }
  } catch (error) {
    throw toExopoolError(error, `cannot read ${path}`);
  }
  if (series.size === 0) throw wrong(path, line, 'there are no values');
  const steps = Math.max(...[...series.values()].map(({ length }) => length));
  return [...series.values()].map((own) => {
    const all = new Float64Array(steps).fill(NaN);
    all.set(own);
    return all;
  });
}

function linesOf(path: string): AsyncIterable<string> {
  const file = createReadStream(path);
  if (!path.endsWith('.gz')) return createInterface({ input: file, crlfDelay: Infinity });
  const gunzip = createGunzip();
  file.on('error', (error) => gunzip.destroy(error));
  return createInterface({ input: file.pipe(gunzip), crlfDelay: Infinity });
}

function requireHeader(text: string, path: string): void {
  if (text.replace(/^\uFEFF/, '') === header.join(',')) return;
  throw wrong(path, 1, `the first line is to be ${header.join(',')}`);
}

function parseLine(text: string, path: string, line: number): { vm: string; step: number; used: number } {
  const fields = text.split(',');
  const [vm, step, , memory] = fields;
  const used = Number(memory);
  const at = Number(step);
  if (fields.length !== header.length || vm === '' || step === '' || memory === '')
    throw wrong(path, line, `${header.length} values are expected`);
  if (!Number.isInteger(at) || at < 0 || at >= stepsMax)
    throw wrong(path, line, `a step is a whole number below ${stepsMax}, not ${step}`);
  if (!Number.isFinite(used)) throw wrong(path, line, `mem_pct is a number, not ${memory}`);
  return { vm: vm!, step: at, used: Math.min(1, Math.max(0, used / 100)) };
}

function wrong(path: string, line: number, what: string): ExopoolError {
  return new ExopoolError('EXOPOOL_INPUT', `${path}, line ${line}: ${what}`);
}
