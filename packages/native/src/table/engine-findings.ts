/** Finds which needs of the lookup engines are met: on this machine, and for the files at one path. */
import { existsSync, readFileSync } from 'node:fs';
import { release } from 'node:os';
import { blockDeviceOf } from '../machine/block-device.js';
import { findMount, type Mount } from '../machine/mounts.js';
import { nvmeNamespaces } from './loop-support.js';
import { tableEngineSupport } from './engine-support.js';
import type { EngineSupport, TableEngine } from './table-engine.js';

const kernelTypes = '/sys/kernel/btf/vmlinux';
/** Numbers in linux/capability.h. */
const capabilities = { CAP_PERFMON: 38n, CAP_BPF: 39n };
/** File systems that tell the extents of a file, and let it be made immutable. */
const plainFileSystems = new Set(['ext2', 'ext3', 'ext4', 'xfs', 'f2fs']);

/** As {@link tableEngineSupport}; for an engine that runs, the reason tells what was found. */
export function engineFindings(): EngineSupport[] {
  return tableEngineSupport().map((support) =>
    support.available ? { ...support, reason: foundFor(support.engine) } : support,
  );
}

/**
 * The same for files at `path`: their device or file system may rule out an engine.
 * @throws `EXOPOOL_NOT_FOUND`, `EXOPOOL_PERMISSION`
 */
export function engineFindingsAt(path: string): EngineSupport[] {
  const device = blockDeviceOf(path);
  const mount = device?.isItself === true ? undefined : findMount(path);
  const place = describePlace(device?.name, mount);
  return engineFindings().map((support) => {
    if (support.engine === 'pread' || support.engine === 'io-uring')
      return { ...support, reason: `${support.reason ?? ''}; ${place}` };
    if (support.engine !== 'nvme-bpf' || !support.available) return support;
    const obstacle = nvmeObstacle(device?.name, mount);
    return obstacle === undefined
      ? { ...support, reason: `${support.reason ?? ''}; ${place}` }
      : { engine: support.engine, available: false, ...obstacle };
  });
}

/** Why `nvme-bpf` cannot read files there by their place on the device; undefined when it can. */
export function nvmeObstacle(
  device: string | undefined,
  mount: Pick<Mount, 'fileSystem' | 'folder' | 'options'> | undefined,
): { reason: string; fix: string } | undefined {
  const fix = 'put the store on ext4 or XFS on an NVMe device';
  if (device === undefined) return { reason: 'the path is not on a block device of its own', fix };
  if (!device.startsWith('nvme'))
    return { reason: `the path is on ${device}, which is not an NVMe device`, fix };
  if (mount === undefined) return undefined;
  if (!plainFileSystems.has(mount.fileSystem))
    return { reason: `${mount.fileSystem} may move a file's blocks on the device`, fix };
  // Pinning a table sets an attribute of its file.
  if (mount.options.includes('ro'))
    return {
      reason: `${mount.folder} is mounted read-only, so tables cannot be pinned`,
      fix: `mount -o remount,rw '${mount.folder}'`,
    };
  return undefined;
}

function describePlace(device: string | undefined, mount: Mount | undefined): string {
  const on = device === undefined ? 'on no block device of its own' : `on ${device}`;
  return mount === undefined ? on : `${mount.fileSystem} ${on}, mounted ${mount.options.join(',')}`;
}

function foundFor(engine: TableEngine): string {
  const kernel = `Linux ${release()}`;
  const bpf = `${kernel}, ${rights()}, ${existsSync(kernelTypes) ? kernelTypes : 'no BTF'}`;
  if (engine === 'pread') return kernel;
  if (engine === 'io-uring') return `${kernel}, ${ringSwitch()}`;
  if (engine === 'nvme-bpf') return `${bpf}, ${nvmeNamespaces().join(', ')}`;
  return bpf;
}

function rights(): string {
  if (process.getuid?.() === 0) return 'root';
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '0';
  const held = BigInt(`0x${effective}`);
  return Object.entries(capabilities)
    .filter(([, bit]) => ((held >> bit) & 1n) === 1n)
    .map(([name]) => name)
    .join(' and ');
}

function ringSwitch(): string {
  try {
    const value = readFileSync('/proc/sys/kernel/io_uring_disabled', 'utf8').trim();
    return `kernel.io_uring_disabled=${value}`;
  } catch {
    return 'no sysctl that forbids it';
  }
}
