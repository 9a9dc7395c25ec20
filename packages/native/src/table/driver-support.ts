/** Whether the engine `driver` (kernel module exopool.ko) runs here, and what it did so far. */
import { driverEnds, driverModes } from '../contracts.js';
import { fixHere } from '../load-binding.js';
import type { EngineSupport } from './table-engine.js';
import { tableBinding } from './table-binding.js';

/** Who goes on with a chain: kernel/kmod/README.md. */
export type DriverMode = Exclude<(typeof driverModes)[number], 'best'>;
/** How a chain ended in the kernel. Only a chain that is `done` has an answer. */
export type DriverEnd = Exclude<(typeof driverEnds)[number], 'none'>;

/** What the module did for this process. */
export interface DriverCounters {
  readonly batches: number;
  /** Pages that the BPF program searched. */
  readonly hops: number;
  /** Hops that the device's completion handler submitted itself. */
  readonly resubmitted: number;
  /** Lookups that `pread` answered instead, for whatever reason. */
  readonly unanswered: number;
  readonly chainsByEnd: Readonly<Record<DriverEnd, number>>;
  readonly batchesByMode: Readonly<Record<DriverMode, number>>;
}

/** Whether the engine runs here; the reason and the remedy when it does not. */
export function driverEngineSupport(): EngineSupport {
  const { available, reason, fix } = tableBinding().driverSupport();
  return { engine: 'driver', available, ...(available ? {} : { reason, fix: fixHere(fix) }) };
}

/** Counters of the whole process. */
export function driverCounters(): DriverCounters {
  const { ends: byEnd, modes: byMode, ...counters } = tableBinding().driverCounters();
  return {
    ...counters,
    chainsByEnd: named(driverEnds, byEnd) as Record<DriverEnd, number>,
    batchesByMode: named(driverModes, byMode) as Record<DriverMode, number>,
  };
}

/** The first name stands for nothing that is counted. */
function named(names: readonly string[], numbers: readonly number[]): Record<string, number> {
  return Object.fromEntries(names.slice(1).map((name, index) => [name, numbers[index + 1] ?? 0]));
}
