/** What the commands that read a store have in common. */
import { Option } from 'commander';
import { engineNames, Store, type EngineName } from '@exopool/bpf-storage';

export interface EngineOptions {
  readonly engine?: EngineName;
}

export function engineOption(): Option {
  return new Option('--engine <name>', 'how tables are read').choices([...engineNames]).default('auto');
}

/** @throws ExopoolError `EXOPOOL_NOT_FOUND` when there is no store, `EXOPOOL_CORRUPT`, `EXOPOOL_UNSUPPORTED`. */
export function openForReading(path: string, options: EngineOptions): Promise<Store> {
  return Store.open(path, { readOnly: true, createIfMissing: false, engine: options.engine ?? 'auto' });
}
