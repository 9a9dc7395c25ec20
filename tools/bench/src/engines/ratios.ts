/** Ratios of instructions per hop and of lookup rates to `pread` in the same run. Above 1 exopool is better. */
import type { Row } from '../suite.js';
import type { Counted } from './counted.js';
import { ratioPoint } from './guest-plan.js';

/** Lower limits of ratios. */
export const targets = {
  page_cache_bpf_vs_pread_warm: 1.8,
  io_uring_bpf_vs_pread_instructions: 1,
  nvme_bpf_vs_pread_instructions: 3,
  driver_irq_vs_pread_instructions: 12,
  driver_poll_vs_pread_instructions: 2.5,
  driver_wait_vs_pread_instructions: 1,
  driver_irq_one_chain_vs_pread_instructions: 4.5,
} as const;

export type Ratio = keyof typeof targets;

/** Ratios of the ring's engines, at six hops and 16 chains on ext4. */
export function ringRatios(counted: readonly Counted[]): Partial<Record<Ratio, number>> {
  const of = (engine: string): number | undefined => at(counted, engine, ratioPoint.chains);
  return present({
    io_uring_bpf_vs_pread_instructions: over(of('pread'), of('io-uring-bpf')),
    nvme_bpf_vs_pread_instructions: over(of('pread'), of('nvme-bpf')),
  });
}

/** Ratios of the driver's modes. `pread` always walks one chain, so its count for one chain serves for any number. */
export function driverRatios(counted: readonly Counted[]): Partial<Record<Ratio, number>> {
  const one = at(counted, 'pread', 1);
  const many = at(counted, 'pread', ratioPoint.chains) ?? one;
  const of = (mode: string): number | undefined => at(counted, `driver-${mode}`, ratioPoint.chains);
  return present({
    driver_irq_vs_pread_instructions: over(many, of('irq')),
    driver_poll_vs_pread_instructions: over(many, of('poll')),
    driver_wait_vs_pread_instructions: over(many, of('wait')),
    driver_irq_one_chain_vs_pread_instructions: over(one, at(counted, 'driver-irq', 1)),
  });
}

/** @param name the name of the rows at six hops and 16 chains, in memory. */
export function hostRatios(rows: readonly Row[], name: string): Partial<Record<Ratio, number>> {
  const of = (contender: string): number | undefined =>
    rows.find((row) => row.name === name && row.contender === contender)?.ops_per_s;
  return present({ page_cache_bpf_vs_pread_warm: over(of('page-cache-bpf'), of('pread')) });
}

/** One check for each measured ratio. */
export function checksOf(ratios: Partial<Record<Ratio, number>>): Record<string, boolean> {
  return Object.fromEntries(
    Object.entries(ratios).map(([name, ratio]) => [name, ratio >= targets[name as Ratio]]),
  );
}

function at(counted: readonly Counted[], engine: string, chains: number): number | undefined {
  return counted.find(
    (one) =>
      one.engine === engine &&
      one.fileSystem === 'ext4' &&
      one.depth === ratioPoint.depth &&
      one.chains === chains,
  )?.instructionsPerHop;
}

function over(theirs: number | undefined, ours: number | undefined): number | undefined {
  return theirs === undefined || ours === undefined || ours === 0 ? undefined : theirs / ours;
}

function present(ratios: Partial<Record<Ratio, number | undefined>>): Partial<Record<Ratio, number>> {
  return Object.fromEntries(Object.entries(ratios).filter(([, ratio]) => ratio !== undefined));
}
