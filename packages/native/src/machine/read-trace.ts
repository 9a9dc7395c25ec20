/**
 * Traced reads of a file: the times at which each read passed from one layer of the kernel to the next.
 *
 * One native thread reads blocks of 4 KiB past the page cache, one after the other. Each lies at a random place that
 * depends on the block before. Half of the plain reads come before the traced ones and half after them. The caller
 * decides what the times mean.
 */
import { getSystemErrorName } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { readMarks } from '../contracts.js';
import { fixHere, loadBinding } from '../load-binding.js';
import {
  functionProbes,
  kernelFunctions,
  readRoute,
  tracepointProbes,
  type ReadProbe,
  type ReadRoute,
} from './read-borders.js';

/** A border that a read passes, in the order of `include/read_trace.h`. */
export type ReadMark = (typeof readMarks)[number];

/** Times of one read, nanoseconds since `before`. A border that was not passed is absent. */
export type ReadMarks = Partial<Readonly<Record<ReadMark, number>>> & { readonly after: number };

/** The times of all reads. */
export interface ReadTrace {
  readonly route: ReadRoute;
  /** Duration of each read without probes. */
  readonly untracedNs: Float64Array;
  readonly traced: readonly ReadMarks[];
  /** The probes that were attached. */
  readonly probes: readonly ReadProbe[];
  /** Cost of one of the two probes around a system call. */
  readonly callProbeNs: number;
  /** Cost of one reading of the clock. */
  readonly clockNs: number;
  /** Why functions were not traced; undefined when they were. */
  readonly tracepointsOnly?: string;
}

/** What to read, and how often. */
export interface ReadTraceOptions {
  /** A file or block device. */
  readonly path: string;
  /** Number of reads with probes, and of reads without; 100 to {@link tracedReadsMax}. */
  readonly reads: number;
  readonly signal?: AbortSignal;
}

/** Most reads of one trace: 12 numbers are kept for each, 96 MB in all. */
export const tracedReadsMax = 1_000_000;
const tracedReadsMin = 100;

interface NativeTrace {
  readonly reason: string;
  readonly fix: string;
  readonly error: number;
  readonly untracedNs: Float64Array;
  readonly tracedNs: Float64Array;
  readonly probeNs: number;
  readonly clockNs: number;
  /** For each requested probe the reason why it is missing, or "". */
  readonly missing: readonly string[];
}

interface TraceBinding {
  traceReads(
    path: string,
    reads: number,
    probes: readonly (readonly [program: string, function: string])[],
  ): { readonly done: Promise<NativeTrace>; readonly stop: () => void };
}

/**
 * Reads a file or block device with and without probes, and changes nothing on it.
 * @throws ExopoolError `EXOPOOL_UNSUPPORTED` where the kernel cannot be traced, or the path cannot be read past the page
 *   cache; `EXOPOOL_INVALID`, `EXOPOOL_NOT_FOUND`, `EXOPOOL_ABORTED`, `EXOPOOL_IO`.
 * @example
 * ```ts
 * import { traceReads } from '@exopool/native';
 *
 * const { untracedNs, traced } = await traceReads({ path: '/dev/nvme0n1', reads: 1000 });
 * console.log(untracedNs.toSorted()[500], traced[0]);
 * ```
 */
export async function traceReads(options: ReadTraceOptions): Promise<ReadTrace> {
  const { path, reads, signal } = options;
  if (!Number.isInteger(reads) || reads < tracedReadsMin || reads > tracedReadsMax) {
    const message = `reads must be ${tracedReadsMin} to ${tracedReadsMax}, not ${reads}`;
    throw new ExopoolError('EXOPOOL_INVALID', message);
  }
  const route = readRoute(path);
  const exact = functionProbes(route, kernelFunctions());
  const first = await run(path, reads, exact, signal);
  if (first.reason === '') return toTrace(path, route, exact, first);
  const points = tracepointProbes();
  const second = await run(path, reads, points, signal);
  return { ...toTrace(path, route, points, second), tracepointsOnly: first.reason };
}

async function run(
  path: string,
  reads: number,
  probes: readonly ReadProbe[],
  signal: AbortSignal | undefined,
): Promise<NativeTrace> {
  const binding = loadBinding() as unknown as TraceBinding;
  const pairs = probes.map((probe) => [probe.program, probe.function] as const);
  const { done, stop } = binding.traceReads(path, reads, pairs);
  signal?.addEventListener('abort', stop, { once: true });
  if (signal?.aborted) stop();
  const result = await done;
  signal?.removeEventListener('abort', stop);
  if (signal?.aborted) throw toExopoolError(signal.reason);
  return result;
}

function toTrace(
  path: string,
  route: ReadRoute,
  asked: readonly ReadProbe[],
  result: NativeTrace,
): ReadTrace {
  const { reason, fix, error, untracedNs, tracedNs, probeNs, clockNs, missing } = result;
  if (error !== 0) throw fileError(path, error);
  if (reason !== '')
    throw new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      `cannot trace reads: ${reason}; to enable it: ${fixHere(fix)}`,
    );
  const traced: ReadMarks[] = [];
  for (let at = 0; at < tracedNs.length; at += readMarks.length)
    traced.push(toMarks(tracedNs.subarray(at, at + readMarks.length)));
  const probes = asked.filter((_, i) => missing[i] === '');
  return { route, untracedNs, traced, probes, callProbeNs: probeNs, clockNs };
}

function toMarks(times: Float64Array): ReadMarks {
  const passed = readMarks.map((mark, i) => [mark, times[i]!] as const).filter(([, time]) => time >= 0);
  return Object.fromEntries(passed) as unknown as ReadMarks;
}

/** Errnos with a special meaning here; all others mean what they say. */
const einval = 22;
const erange = 34;

function fileError(path: string, error: number): ExopoolError {
  if (error === einval)
    return new ExopoolError(
      'EXOPOOL_UNSUPPORTED',
      `${path} cannot be read past the page cache on its file system; take a file on another one`,
    );
  if (error === erange)
    return new ExopoolError(
      'EXOPOOL_INVALID',
      `${path} is shorter than one block of 4 KiB; take a larger file`,
    );
  const name = getSystemErrorName(-error);
  return toExopoolError(Object.assign(new Error(name), { code: name }), `cannot read ${path}`);
}
