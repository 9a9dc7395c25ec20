/** Whether the engines that advance in the kernel's ring run here, and what they did so far. */
import { readdirSync } from 'node:fs';
import type { EngineSupport } from './table-engine.js';
import { tableBinding, type LoopCounters } from './table-binding.js';

/** The character device of an NVMe namespace, which takes commands. */
const namespacePattern = /^ng\d+n\d+$/;

/** Those that this machine has. */
export function nvmeNamespaces(): string[] {
  return readdirSync('/dev').filter((name) => namespacePattern.test(name));
}

export function loopEngineSupport(): EngineSupport[] {
  const { available, reason, fix } = tableBinding().loopSupport();
  const state = available ? { available } : { available, reason, fix };
  const hasNamespace = nvmeNamespaces().length > 0;
  const noDevice = {
    available: false,
    reason: 'there is no NVMe namespace (/dev/ng0n1)',
    fix: 'put the store on an NVMe device; to try it: ./exopool vm --nvme 1G 7.2 -- COMMAND',
  };
  return [
    { engine: 'io-uring-bpf', ...state },
    { engine: 'nvme-bpf', ...(available && !hasNamespace ? noDevice : state) },
  ];
}

/** Counted for the whole process, where no BPF program can change it. */
export function loopCounters(engine: 'io-uring-bpf' | 'nvme-bpf'): LoopCounters {
  return tableBinding().loopCounters(engine === 'io-uring-bpf' ? 0 : 1);
}
