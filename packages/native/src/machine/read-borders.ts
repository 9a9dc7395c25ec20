/**
 * The borders between layers of this kernel that a read of a file passes, as probes for `read-trace.ts`.
 *
 * The exact borders are functions. Some depend on the file system and on the device's driver. A kernel may refuse to
 * have its functions traced, and a driver may be unknown here. Then tracepoints stand in: they are near some borders,
 * and every kernel has the same ones.
 */
import { existsSync, readFileSync, statfsSync } from 'node:fs';
import { ExopoolError } from '@exopool/shared';
import { blockDeviceOf } from './block-device.js';

/** A program of `kernel/bpf/read_trace.bpf.c`, and the kernel's function to attach it to; empty for a tracepoint. */
export interface ReadProbe {
  readonly program: string;
  readonly function: string;
}

/** The layers that reads of a path go through. */
export interface ReadRoute {
  /** Such as `ext4` or `block device`; for others the kernel's number. */
  readonly fileSystem: string;
  /** Name as in `/sys/block`. */
  readonly device: string;
  /** The device's driver. `bio`: it takes no requests, and works while it is called. */
  readonly driver: { readonly functions: readonly string[]; readonly kind: 'request' | 'bio' } | undefined;
  /** The file system's function for reads. */
  readonly readFunction: string | undefined;
}

/** Names by the number that `statfs` gives. */
const fileSystems: ReadonlyMap<number, string> = new Map([
  [0xef53, 'ext4'],
  [0x58465342, 'xfs'],
  [0xf2f52010, 'f2fs'],
]);

/** By the device's name: the functions that the block layer calls for one request, and for a list of them. */
const drivers: readonly {
  readonly name: RegExp;
  readonly functions: readonly string[];
  readonly kind: 'request' | 'bio';
}[] = [
  { name: /^nvme/, functions: ['nvme_queue_rq', 'nvme_queue_rqs'], kind: 'request' },
  { name: /^vd/, functions: ['virtio_queue_rq', 'virtio_queue_rqs'], kind: 'request' },
  { name: /^sd|^sr/, functions: ['scsi_queue_rq'], kind: 'request' },
  { name: /^nullb/, functions: ['null_queue_rq', 'null_queue_rqs'], kind: 'request' },
  { name: /^loop/, functions: ['loop_queue_rq'], kind: 'request' },
  { name: /^mmcblk/, functions: ['mmc_mq_queue_rq'], kind: 'request' },
  { name: /^zram/, functions: ['zram_submit_bio'], kind: 'bio' },
];

const kernelSymbols = '/proc/kallsyms';

/** Prefix of the kernel's functions for system calls, by architecture. */
const callPrefixes: Readonly<Record<string, string>> = { x64: '__x64_sys_', arm64: '__arm64_sys_' };

/** Borders that every kernel with BTF has as tracepoints. */
const commonPoints = ['block_in', 'issue', 'complete', 'bio_complete', 'running'];

/**
 * Finds the layers for a path.
 * @throws ExopoolError `EXOPOOL_NOT_FOUND`, or `EXOPOOL_UNSUPPORTED` for a path that is on no block device of its own.
 */
export function readRoute(path: string): ReadRoute {
  const device = blockDeviceOf(path);
  if (device === undefined) {
    const message = `${path} is not on a block device of its own; take a file on one`;
    throw new ExopoolError('EXOPOOL_UNSUPPORTED', message);
  }
  const { name, isItself } = device;
  const driver = drivers.find((candidate) => candidate.name.test(name));
  const common = { device: name, driver };
  if (isItself) return { ...common, fileSystem: 'block device', readFunction: 'blkdev_read_iter' };
  const { type } = statfsSync(path);
  const known = fileSystems.get(type);
  return {
    ...common,
    fileSystem: known ?? `0x${type.toString(16)}`,
    readFunction: known === undefined ? undefined : `${known}_file_read_iter`,
  };
}

/** All borders as tracepoints, for a kernel that refuses to have its functions traced. */
export function tracepointProbes(): ReadProbe[] {
  const outer = ['syscall_in', 'syscall_out', 'fs_in', 'fs_out'];
  return [...outer, ...commonPoints].map(point);
}

/**
 * The exact borders. A tracepoint stands for a border whose function is missing.
 * @param kernelHas whether the kernel has a function of this name.
 */
export function functionProbes(route: ReadRoute, kernelHas: (name: string) => boolean): ReadProbe[] {
  const prefix = callPrefixes[process.arch] ?? '';
  return [
    ...around('syscall', `${prefix}pread64`, kernelHas),
    ...around('fs', route.readFunction, kernelHas),
    ...driverProbes(route.driver?.functions ?? [], kernelHas),
    ...probesOf('idle', `${prefix}personality`, kernelHas),
    ...commonPoints.map(point),
  ];
}

/** Tells by name whether this kernel or one of its modules has a function. */
export function kernelFunctions(): (name: string) => boolean {
  // Lines are `address type name`, of modules with a tab and `[module]` behind.
  const symbols = existsSync(kernelSymbols) ? readFileSync(kernelSymbols, 'latin1') : '';
  return (name) =>
    [' t ', ' T '].some((type) => ['\n', '\t'].some((end) => symbols.includes(`${type}${name}${end}`)));
}

function around(
  layer: 'syscall' | 'fs',
  name: string | undefined,
  kernelHas: (name: string) => boolean,
): ReadProbe[] {
  const exact = name === undefined ? [] : probesOf(layer, name, kernelHas);
  return exact.length > 0 ? exact : [point(`${layer}_in`), point(`${layer}_out`)];
}

function driverProbes(names: readonly string[], kernelHas: (name: string) => boolean): ReadProbe[] {
  return names.flatMap((name, i) => probesOf(i === 0 ? 'driver' : 'driver_list', name, kernelHas));
}

function probesOf(border: string, name: string, kernelHas: (name: string) => boolean): ReadProbe[] {
  if (!kernelHas(name)) return [];
  return ['in', 'out'].map((side) => ({ program: `${border}_${side}`, function: name }));
}

function point(border: string): ReadProbe {
  return { program: `point_${border}`, function: '' };
}
