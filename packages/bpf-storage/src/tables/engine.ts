/**
 * Which lookup engine walks a table, and why.
 *
 * An engine is named after its dispatch level: where the next read of a chain is issued from. `page-cache-bpf` walks the
 * file inside the kernel in one system call. On pages in memory that saves a copy and a crossing per hop. Other pages it
 * faults in one by one, and is slower than `pread`. So `auto` takes it only for warm data, and measures that again from
 * time to time.
 *
 * If the kernel module exopool.ko is loaded, `driver` reads cold data; nobody loads the module by accident.
 *
 * Otherwise the speed on cold data depends on how many reads are in flight: `pread` has four, one per thread, `io-uring`
 * has 128. Measured on a network disk with O_DIRECT, lookups/s of `pread` and `io-uring`: 28,000 and 38,000 with 16 in
 * flight, 29,000 and 60,000 with 128. A single lookup takes as long with either (some 100 us: both wake one thread to
 * read and one to answer), so the size of a batch does not matter.
 */
import { ExopoolError } from '@exopool/shared';
import type { EngineSupport, TableEngine } from '@exopool/native';
import { tableEngines, type TableFile } from '@exopool/native/internal';

/** A lookup engine, or `auto`: the store chooses, and chooses again as the page cache changes. */
export type EngineName = 'auto' | TableEngine;

/** Every name that {@link StoreOptions.engine} takes. */
export const engineNames: readonly EngineName[] = ['auto', ...tableEngines];

/**
 * The dispatch level of each engine: where the next read of a chain is issued from. `driver` issues it from the hooked
 * NVMe driver, or without the hook from the module.
 */
export const dispatchLevels: Readonly<Record<TableEngine, 'user' | 'syscall' | 'ring' | 'driver'>> = {
  pread: 'user',
  'io-uring': 'user',
  'page-cache-bpf': 'syscall',
  'io-uring-bpf': 'ring',
  'nvme-bpf': 'ring',
  driver: 'driver',
};

/** A table is warm if at least this share of its pages is in memory: one fault costs far more than a warm hop saves. */
export const warmShareMin = 0.95;
/** How long a measured share counts, milliseconds: measuring costs system calls, and page caches drain slowly. */
export const warmShareAgeMs = 1000;

/** What the choice of an engine depends on. */
export interface EngineSituation {
  readonly requested: EngineName;
  readonly support: readonly EngineSupport[];
  /** Share of the table's pages that are in memory, 0 to 1. */
  readonly residentShare: number;
}

/**
 * Chooses an engine for a table. `auto` becomes `page-cache-bpf` for warm tables, else `driver`, `io-uring` or `pread`: the
 * first that can run.
 * @throws ExopoolError `EXOPOOL_UNSUPPORTED` with reason and remedy if a forced engine cannot run.
 */
export function chooseEngine(situation: EngineSituation): TableEngine {
  const { requested, support } = situation;
  if (requested !== 'auto') return requireEngine(requested, support);
  const order: readonly TableEngine[] =
    situation.residentShare >= warmShareMin ? ['page-cache-bpf'] : ['driver', 'io-uring'];
  const canRun = (name: TableEngine): boolean =>
    support.some(({ engine, available }) => engine === name && available);
  return order.find(canRun) ?? 'pread';
}

/** @returns `engine`. @throws ExopoolError `EXOPOOL_UNSUPPORTED` with reason and remedy if it cannot run. */
export function requireEngine(engine: TableEngine, support: readonly EngineSupport[]): TableEngine {
  const found = support.find((candidate) => candidate.engine === engine);
  if (found?.available === true) return engine;
  const reason = found?.reason ?? 'this build does not have it';
  const remedy = found?.fix === undefined ? 'use the engine "auto"' : `to enable it: ${found.fix}`;
  throw new ExopoolError('EXOPOOL_UNSUPPORTED', `the engine ${engine} cannot run here: ${reason}; ${remedy}`);
}

/** @returns `name`. @throws ExopoolError `EXOPOOL_INVALID` unless it names an engine. */
export function parseEngineName(name: unknown): EngineName {
  const known = engineNames.find((candidate) => candidate === name);
  if (known !== undefined) return known;
  throw new ExopoolError(
    'EXOPOOL_INVALID',
    `"${String(name)}" is not an engine; choose one of ${engineNames.join(', ')}`,
  );
}

/** Chooses the engine of one table. It measures the resident share at most every {@link warmShareAgeMs}. */
export class EngineSelector {
  #residentShare = 0;
  #measuredAtMs = -Infinity;
  /** Engines that cannot read this file. Each is tried once, because the reason lies in how the file is stored. */
  readonly #refused = new Set<TableEngine>();

  constructor(
    private readonly table: Pick<TableFile, 'residentShare' | 'pin' | 'attachToDriver'>,
    private readonly support: readonly EngineSupport[],
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  /** An engine that can read the file. If a forced engine cannot, it is `pread`. */
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

  /** A table that cannot be measured counts as cold; reads of it report the error. */
  #share(): number {
    try {
      return this.table.residentShare();
    } catch {
      return 0;
    }
  }
}
