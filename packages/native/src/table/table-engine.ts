/** The engines by name, in the order in which the addon numbers them. */

/**
 * How a table is walked. `pread` reads whole pages at user level, and runs anywhere. `io-uring` does the same with up
 * to 128 reads of the process under way at a time; it is for data that is not in memory. `page-cache-bpf` walks in
 * the kernel, one system call for a batch; it is for data that is in the page cache. `io-uring-bpf` walks in the
 * kernel too, as reads complete, 64 chains in one system call; `nvme-bpf` does the same with commands to the NVMe
 * device, past file system and block layer, and pins the file as long as it is open (`extent-pin.ts`). `driver` has the
 * kernel module exopool.ko walk (`kmod/`), with the NVMe driver that belongs to it in the device's completion handler.
 */
export type TableEngine = 'pread' | 'io-uring' | 'page-cache-bpf' | 'io-uring-bpf' | 'nvme-bpf' | 'driver';

/** In the order of the addon's `enum class Engine`. */
export const tableEngines: readonly TableEngine[] = [
  'pread',
  'io-uring',
  'page-cache-bpf',
  'io-uring-bpf',
  'nvme-bpf',
  'driver',
];

export function engineNumber(engine: TableEngine): number {
  return tableEngines.indexOf(engine);
}

export interface EngineSupport {
  readonly engine: TableEngine;
  readonly available: boolean;
  /** Why it is not available. */
  readonly reason?: string;
  /** The line to run that would make it available. */
  readonly fix?: string;
}
