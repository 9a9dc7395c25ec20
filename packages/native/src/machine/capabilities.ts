/**
 * What this machine offers for harvesting, swapping and isolation, and why the rest is missing. Each mechanism is
 * looked for. The kernel's version does not tell: a mechanism may be configured out, switched off or hidden by a
 * container.
 */
import { accessSync, constants, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findMemoryHierarchy, type CgroupHierarchy } from './cgroup.js';
import { readMemoryPressure } from './memory-info.js';
import { readSwapAreas } from './swap.js';

/** What a mechanism is for. */
export type CapabilityGroup = 'rights' | 'harvest' | 'swap' | 'isolation';

/** One mechanism of the machine, and whether this process can use it. */
export interface Capability {
  readonly name: string;
  readonly group: CapabilityGroup;
  readonly available: boolean;
  /** Why it is not available, or what was found. */
  readonly reason?: string;
  /** The line that would enable it, where there is one. */
  readonly fix?: string;
}

/**
 * Looks for every mechanism that harvesting, swap and isolation can use. It changes nothing and never throws.
 * @example
 * ```ts
 * import { machineCapabilities } from '@exopool/native';
 *
 * for (const { name, available, reason, fix } of machineCapabilities())
 *   console.log(name, available ? 'yes' : `no: ${reason}; to enable it: ${fix}`);
 * ```
 */
export function machineCapabilities(): Capability[] {
  const hierarchy = attempt(() => findMemoryHierarchy());
  return [
    root(),
    memoryCgroup(hierarchy),
    writableCgroup(hierarchy),
    pressure(),
    damon(),
    processMadvise(),
    zram(),
    zramWriteback(),
    zswap(),
    swapInUse(),
    blockThrottle(),
  ];
}

function root(): Capability {
  const isRoot = process.getuid?.() === 0;
  return fact('root', 'rights', isRoot, `user id ${process.getuid?.() ?? -1}`, 'run as root, or with sudo');
}

function memoryCgroup(hierarchy: CgroupHierarchy | undefined): Capability {
  const found =
    hierarchy === undefined
      ? 'no memory controller is mounted'
      : `v${hierarchy.version} at ${hierarchy.root}`;
  return fact('memory cgroup', 'harvest', hierarchy !== undefined, found, 'boot with cgroup_enable=memory');
}

function writableCgroup(hierarchy: CgroupHierarchy | undefined): Capability {
  const isWritable = hierarchy !== undefined && canWrite(hierarchy.root);
  const found = isWritable ? `${hierarchy.root} can be written` : 'cgroups cannot be made here';
  return fact(
    'own cgroups',
    'harvest',
    isWritable,
    found,
    'run as root, outside of a container that mounts it read-only',
  );
}

function pressure(): Capability {
  const isThere = readMemoryPressure() !== undefined;
  const found = isThere ? '/proc/pressure/memory' : '/proc/pressure/memory cannot be read';
  return fact('pressure stall information', 'harvest', isThere, found, 'boot with psi=1');
}

function damon(): Capability {
  const path = '/sys/kernel/mm/damon/admin';
  const isThere = existsSync(path);
  return fact(
    'DAMON',
    'harvest',
    isThere,
    isThere ? path : `${path} is not there`,
    'a kernel with CONFIG_DAMON_SYSFS and CONFIG_DAMON_VADDR',
  );
}

function processMadvise(): Capability {
  // The system call is there since Linux 5.10 when advising is compiled in; its symbol says so without calling it.
  const symbols = attempt(() => readFileSync('/proc/kallsyms', 'latin1')) ?? '';
  const isThere = /\b__(?:x64|arm64)_sys_process_madvise\b/.test(symbols);
  const found = isThere
    ? 'system call process_madvise'
    : symbols === ''
      ? 'the kernel does not show its symbols'
      : 'the kernel has no such system call';
  return fact('process_madvise', 'harvest', isThere, found, 'Linux 5.10 or later');
}

function zram(): Capability {
  const control = '/sys/class/zram-control/hot_add';
  const isThere = existsSync(control);
  const canUse = isThere && process.getuid?.() === 0;
  const found = isThere
    ? canUse
      ? control
      : 'there, but only root may add devices'
    : 'the module is not loaded';
  return fact('zram', 'swap', canUse, found, isThere ? 'run as root' : 'modprobe zram');
}

function zramWriteback(): Capability {
  const device = readdirSync('/sys/block').find((name) => name.startsWith('zram'));
  const isThere = device !== undefined && existsSync(join('/sys/block', device, 'backing_dev'));
  const found =
    device === undefined ? 'there is no zram device to look at' : `/sys/block/${device}/backing_dev`;
  return fact('zram writeback', 'swap', isThere, found, 'a kernel with CONFIG_ZRAM_WRITEBACK');
}

function zswap(): Capability {
  const parameter = '/sys/module/zswap/parameters/enabled';
  const value = attempt(() => readFileSync(parameter, 'utf8').trim());
  const found = value === undefined ? 'the kernel has none' : `${parameter} is ${value}`;
  const fix = value === undefined ? 'a kernel with CONFIG_ZSWAP' : `echo Y > ${parameter}`;
  return fact('zswap', 'swap', value === 'Y', found, fix);
}

function swapInUse(): Capability {
  const areas = attempt(() => readSwapAreas()) ?? [];
  const found = areas.length === 0 ? 'no swap area is in use' : areas.map(({ path }) => path).join(', ');
  return fact('swap', 'swap', areas.length > 0, found, 'the producer sets up zram of its own as root');
}

function blockThrottle(): Capability {
  const isThere =
    existsSync('/sys/fs/cgroup/blkio/blkio.throttle.read_iops_device') ||
    (attempt(() => readFileSync('/sys/fs/cgroup/cgroup.controllers', 'utf8')) ?? '')
      .split(/\s+/)
      .includes('io');
  return fact(
    'block I/O cgroup',
    'isolation',
    isThere,
    'blkio on v1, io on v2',
    'mount the blkio or io controller',
  );
}

function fact(
  name: string,
  group: CapabilityGroup,
  available: boolean,
  found: string,
  fix: string,
): Capability {
  return available
    ? { name, group, available, reason: found }
    : { name, group, available, reason: found, fix };
}

function canWrite(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch {
    return undefined;
  }
}
