/**
 * The capacity of the device: fio's random reads of 4 KiB past the page cache, by io_uring, at a queue depth. A
 * contender that reads one page per key cannot be faster.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { ExopoolError } from '@exopool/shared';

const run = promisify(execFile);

export interface DeviceSpeed {
  readonly iops: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
}

interface FioOutput {
  readonly jobs: readonly [
    {
      readonly read: {
        readonly iops: number;
        readonly clat_ns: { readonly percentile?: Readonly<Record<string, number>> };
      };
    },
  ];
}

/** The reason why fio cannot be used; `undefined` if it can. */
export async function whyNoFio(): Promise<string | undefined> {
  try {
    await run('fio', ['--version']);
    return undefined;
  } catch {
    return 'fio is missing, so device_iops_share is not measured: apt-get install fio';
  }
}

/** @param file created with `bytes` of data if it is missing. */
export async function measureDevice(
  file: string,
  options: {
    readonly bytes: number;
    readonly depth: number;
    readonly seconds: number;
    readonly signal: AbortSignal;
  },
): Promise<DeviceSpeed> {
  const { bytes, depth, seconds, signal } = options;
  const settings = {
    name: 'device',
    filename: file,
    size: bytes,
    rw: 'randread',
    bs: 4096,
    direct: 1,
    ioengine: 'io_uring',
    iodepth: depth,
    runtime: seconds,
    norandommap: 1,
    randrepeat: 0,
    'output-format': 'json',
  };
  const words = Object.entries(settings).map(([name, value]) => `--${name}=${value}`);
  const { stdout } = await run('fio', [...words, '--time_based'], { signal, maxBuffer: 1 << 24 });
  return parseFio(stdout);
}

/** @throws ExopoolError `EXOPOOL_INTERNAL` if it is not the output of fio 3. */
export function parseFio(text: string): DeviceSpeed {
  try {
    const { jobs } = JSON.parse(text.slice(text.indexOf('{'))) as FioOutput;
    const { iops, clat_ns } = jobs[0].read;
    const at = (percent: string): number => (clat_ns.percentile?.[percent] ?? 0) / 1000;
    return { iops, p50Us: at('50.000000'), p99Us: at('99.000000'), p999Us: at('99.900000') };
  } catch (error) {
    throw new ExopoolError('EXOPOOL_INTERNAL', 'the output of fio is not understood', { cause: error });
  }
}
