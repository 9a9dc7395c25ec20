/** Whether the engines in the kernel's ring (`io-uring-bpf`, `nvme-bpf`) run here, and what they did so far. */
import { readdirSync } from 'node:fs';
import { loopKind } from '../contracts.js';
import { fixHere } from '../load-binding.js';
import type { EngineSupport } from './table-engine.js';
import { tableBinding, type LoopCounters } from './table-binding.js';

/** Character devices of NVMe namespaces, which take commands. */
const namespacePattern = /^ng\d+n\d+$/;

/** The NVMe namespaces of this machine. */
export function nvmeNamespaces(): string[] {
  return readdirSync('/dev').filter((name) => namespacePattern.test(name));
}

/** Whether each of the two engines runs here; the reason and the remedy when it does not. */
export function loopEngineSupport(): EngineSupport[] {
  const { available, reason, fix } = tableBinding().loopSupport();
  const state = available ? { available } : { available, reason, fix: fixHere(fix) };
  const hasNamespace = nvmeNamespaces().length > 0;
  const noDevice = {
    available: false,
    reason: 'this machine has no NVMe namespace (/dev/ng0n1)',
    fix: 'put the store on an NVMe device; to try it: ./exopool vm --nvme 1G 7.2 -- COMMAND',
  };
  return [
    { engine: 'io-uring-bpf', ...state },
    { engine: 'nvme-bpf', ...(available && !hasNamespace ? noDevice : state) },
  ];
}

/** Counters of the whole process. No BPF program can change them. */
export function loopCounters(engine: 'io-uring-bpf' | 'nvme-bpf'): LoopCounters {
  return tableBinding().loopCounters(engine === 'io-uring-bpf' ? loopKind.file : loopKind.nvme);
}
