/** The machine of a run, to compare reports. */
import { arch, cpus, release, totalmem } from 'node:os';

export interface Host {
  readonly kernel: string;
  readonly arch: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly memory_bytes: number;
  readonly node: string;
  readonly root: boolean;
}

export function thisHost(): Host {
  return {
    kernel: release(),
    arch: arch(),
    cpu: cpus()[0]?.model ?? 'unknown',
    cpus: cpus().length,
    memory_bytes: totalmem(),
    node: process.version,
    root: process.getuid?.() === 0,
  };
}
