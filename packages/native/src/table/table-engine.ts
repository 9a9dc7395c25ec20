/** The engines by name, and by the number that the addon has for them: addon/table/engine.hh. */
import { tableEngines } from '../contracts.js';

/**
 * How a table is walked.
 *
 * - `pread` reads whole pages at user level, and runs anywhere.
 * - `io-uring` does the same with up to 128 reads of the process in flight. It is for data that is not in memory.
 * - `page-cache-bpf` walks in the kernel, one system call for a batch. It is for data that is in the page cache.
 * - `io-uring-bpf` walks in the kernel as reads complete, 64 chains in one system call.
 * - `nvme-bpf` does the same with commands to the NVMe device, past file system and block layer. It pins the file while
 *   the file is open (`extent-pin.ts`).
 * - `driver` lets the kernel module exopool.ko walk (`kernel/kmod/`). With the hooked NVMe driver it walks in the device's
 *   completion handler.
 */
export type TableEngine = (typeof tableEngines)[number];

/** The addon's number for an engine. */
export function engineNumber(engine: TableEngine): number {
  return tableEngines.indexOf(engine);
}

/** Whether an engine can run here. */
export interface EngineSupport {
  readonly engine: TableEngine;
  readonly available: boolean;
  /** Why it is not available. */
  readonly reason?: string;
  /** What would make it available: a line to run, where there is one. */
  readonly fix?: string;
}
