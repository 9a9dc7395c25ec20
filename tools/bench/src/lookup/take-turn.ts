/** A contender's turn, in its own process and memory cgroup. Both are removed when it ends. */
import { fileURLToPath } from 'node:url';
import { findMemoryHierarchy, MemoryCage } from '@exopool/native';
import { MiB, toExopoolError } from '@exopool/shared';
import { CagedProcess } from '../machine/caged-process.js';
import type { WorkFolder } from '../machine/work-folder.js';
import type { Contender } from './contenders/contender.js';
import type { Plan } from './plan.js';
import type { Measured } from './rows.js';
import type { LoadResult, TurnSettings, WindowResult } from './turn.js';
import { nameOf, type Workload } from './workloads.js';

const mainPath = fileURLToPath(new URL('contender-main.js', import.meta.url));
/** V8's heap limit as a share of the memory limit, the same for all contenders. */
const heapShare = 1 / 2;
const heapMiBMin = 64;

/** The reason why contenders run without a memory limit here; `undefined` if they have one. */
export function whyNoLimit(): string | undefined {
  const without = 'contenders run without a memory limit, so nothing here is about data larger than memory';
  if (process.getuid?.() !== 0) return `${without}: run as root to have one`;
  try {
    findMemoryHierarchy();
    return undefined;
  } catch (error) {
    return `${without}: ${toExopoolError(error).message}`;
  }
}

export class TurnTaker {
  /** The way to read that won a contender's trial, by contender and workload. */
  readonly #apis = new Map<string, string>();
  #turns = 0;

  constructor(
    private readonly plan: Plan,
    private readonly folder: WorkFolder,
    private readonly signal: AbortSignal,
  ) {}

  /** @param limitBytes limit of the cgroup. The store's settings are always for the tight limit. */
  async load(
    contender: Contender,
    limitBytes = this.plan.tightBytes,
  ): Promise<LoadResult & { readonly peakMemoryBytes: number | undefined }> {
    await this.folder.clear(contender.name);
    const memory = { limitBytes, storeBytes: this.plan.tightBytes };
    return this.#inProcess(contender, memory, async (child, cage) => {
      const result = (await child.ask({ type: 'load' })) as LoadResult;
      return { ...result, peakMemoryBytes: cage?.peakBytes() };
    });
  }

  /** Runs the windows in their order. `add` gets each result at once, so that results before a failure count. */
  async windows(
    contender: Contender,
    turn: { readonly workloads: readonly Workload[]; readonly memoryBytes: number; readonly seconds: number },
    add: (workload: Workload, measured: Measured) => void,
  ): Promise<void> {
    const memory = { limitBytes: turn.memoryBytes, storeBytes: turn.memoryBytes };
    await this.#inProcess(contender, memory, async (child, cage) => {
      const hot = turn.workloads.filter(({ temperature }) => temperature === 'hot');
      const inRanges = hot.some(({ operation }) => operation === 'range');
      if (hot.length > 0) await child.ask({ type: 'heat', inRanges });
      for (const workload of turn.workloads) {
        const key = `${contender.name}\n${nameOf(workload)}`;
        const request = { type: 'window', workload, seconds: turn.seconds, api: this.#apis.get(key) };
        const result = (await child.ask(request)) as WindowResult;
        this.#apis.set(key, result.api);
        add(workload, { ...result, peakMemoryBytes: cage?.peakBytes() });
      }
      await child.ask({ type: 'end' });
    });
  }

  async #inProcess<T>(
    contender: Contender,
    { limitBytes, storeBytes }: { readonly limitBytes: number; readonly storeBytes: number },
    work: (child: CagedProcess, cage: MemoryCage | undefined) => Promise<T>,
  ): Promise<T> {
    this.signal.throwIfAborted();
    this.#turns += 1;
    const name = `bench-${process.pid}-${this.#turns}`;
    const cage = whyNoLimit() === undefined ? await MemoryCage.open(name, limitBytes) : undefined;
    const child = new CagedProcess({
      cage,
      module: mainPath,
      argument: this.#settings(contender, storeBytes),
      nodeOptions: [`--max-old-space-size=${heapMiB(storeBytes)}`],
      env: contender.threads === undefined ? {} : { UV_THREADPOOL_SIZE: String(contender.threads) },
      signal: this.signal,
    });
    try {
      return await work(child, cage);
    } finally {
      await child.close();
      await cage?.close();
    }
  }

  #settings({ name }: Contender, memoryBytes: number): TurnSettings {
    return {
      contender: name,
      folder: this.folder.of(name),
      records: this.plan.records,
      hotRecords: this.plan.hotRecords,
      memoryBytes,
      seed: this.#turns * 1_000_003,
    };
  }
}

function heapMiB(memoryBytes: number): number {
  return Math.max(heapMiBMin, Math.round((memoryBytes * heapShare) / MiB));
}
