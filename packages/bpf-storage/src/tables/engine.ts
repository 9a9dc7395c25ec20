/**
 * Which lookup engine walks a table, and why.
 *
 * An engine is named for where the next read of a chain is issued from, its dispatch level. `page-cache-bpf` walks
 * the file inside the kernel in one system call; on pages that are in memory that saves a copy and a crossing a
 * hop, on pages that are not it faults them in one by one and loses to `pread`. So `auto` takes it only for data
 * known to be warm, and asks again from time to time.
 *
 * Where the kernel module exopool.ko is loaded, which nobody does but on purpose, `driver` reads what is not warm.
 *
 * Otherwise cold data is a matter of how many reads the device has at a time: `pread` has four, one a thread, `io-uring` 128.
 * Measured on a network disk past the page cache, lookups/s: 28,000 against 38,000 with 16 in flight, 29,000 against
 * 60,000 with 128. A single lookup takes as long with either (some 100 us: both wake one thread to read and one to
 * answer), so the size of a batch does not matter.
 */
import { ExopoolError } from '@exopool/shared';
import type { EngineSupport, TableEngine } from '@exopool/native';
import type { TableFile } from '@exopool/native/internal';

export type EngineName = 'auto' | TableEngine;
export const engineNames: readonly EngineName[] = [
  'auto',
  'pread',
  'io-uring',
  'page-cache-bpf',
  'io-uring-bpf',
  'nvme-bpf',
  'driver',
];

/** From where the next read of a chain is issued. `driver`: from the NVMe driver, with the hook; else from the module. */
export const dispatchLevels: Readonly<Record<TableEngine, 'user' | 'syscall' | 'ring' | 'driver'>> = {
  pread: 'user',
  'io-uring': 'user',
  'page-cache-bpf': 'syscall',
  'io-uring-bpf': 'ring',
  'nvme-bpf': 'ring',
  driver: 'driver',
};

/** Share of a table's pages in memory from which it counts as warm: one fault costs far more than a warm hop saves. */
export const warmShareMin = 0.95;
/** How long a measured share is believed, milliseconds: measuring costs a system call, memory drains slowly. */
export const warmShareAgeMs = 1000;

export interface EngineSituation {
  readonly requested: EngineName;
  readonly support: readonly EngineSupport[];
  /** Share of the table's pages that are in memory, 0 to 1. */
  readonly residentShare: number;
}

/** The decision. @throws ExopoolError `EXOPOOL_UNSUPPORTED` with reason and remedy when a forced engine cannot run. */
export function chooseEngine(situation: EngineSituation): TableEngine {
  const { requested, support } = situation;
  if (requested !== 'auto') return requireEngine(requested, support);
  const order: readonly TableEngine[] =
    situation.residentShare >= warmShareMin ? ['page-cache-bpf'] : ['driver', 'io-uring'];
  const canRun = (name: TableEngine): boolean =>
    support.some(({ engine, available }) => engine === name && available);
  return order.find(canRun) ?? 'pread';
}

/** @throws ExopoolError `EXOPOOL_UNSUPPORTED` with reason and remedy. */
export function requireEngine(engine: TableEngine, support: readonly EngineSupport[]): TableEngine {
  const found = support.find((candidate) => candidate.engine === engine);
  if (found?.available === true) return engine;
  const reason = found?.reason ?? 'this build does not have it';
  const remedy = found?.fix === undefined ? 'use the engine "auto"' : `to enable it: ${found.fix}`;
  throw new ExopoolError('EXOPOOL_UNSUPPORTED', `the engine ${engine} cannot run here: ${reason}; ${remedy}`);
}

/** @throws ExopoolError `EXOPOOL_INVALID` for a name that is none. */
export function parseEngineName(name: unknown): EngineName {
  const known = engineNames.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new ExopoolError(
    'EXOPOOL_INVALID',
    `"${String(name)}" is no engine: take one of ${engineNames.join(', ')}`,
  );
}

/** Chooses for one table, and measures its resident share at most every {@link warmShareAgeMs}. */
export class EngineSelector {
  #residentShare = 0;
  #measuredAtMs = -Infinity;
  /** Engines that cannot read this file. Each is tried once: why lies in how the file is stored. */
  readonly #refused = new Set<TableEngine>();

  constructor(
    private readonly table: Pick<TableFile, 'residentShare' | 'pin' | 'attachToDriver'>,
    private readonly support: readonly EngineSupport[],
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** An engine that can read the file: the requested one, or else `pread`; with `auto` the best of the others. */
  choose(requested: EngineName): TableEngine {
    const residentShare = requested === 'auto' ? this.#measure() : 0;
    const engine = chooseEngine({ requested, support: this.support, residentShare });
    if (this.#isReadBy(engine)) return engine;
    if (requested !== 'auto') return 'pread';
    const support = this.support.filter((each) => each.engine !== engine);
    return chooseEngine({ requested, support, residentShare });
  }

  /** Makes the file ready for `engine`. @throws ExopoolError `EXOPOOL_UNSUPPORTED` with the reason. */
  prepare(engine: EngineName): void {
    if (engine === 'nvme-bpf') this.table.pin();
    if (engine === 'driver') this.table.attachToDriver();
    if (engine !== 'auto') this.#refused.delete(engine);
  }

  #isReadBy(engine: TableEngine): boolean {
    if (this.#refused.has(engine)) return false;
    try {
      this.prepare(engine);
    } catch {
      this.#refused.add(engine);
    }
    return !this.#refused.has(engine);
  }

  #measure(): number {
    const now = this.nowMs();
    if (now - this.#measuredAtMs >= warmShareAgeMs) {
      this.#residentShare = this.#share();
      this.#measuredAtMs = now;
    }
    return this.#residentShare;
  }

  /** What cannot be measured counts as cold; whoever reads it hears what is wrong. */
  #share(): number {
    try {
      return this.table.residentShare();
    } catch {
      return 0;
    }
  }
}
