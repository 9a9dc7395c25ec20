/** Options that all commands that read a store share. */
import { Option } from 'commander';
import { engineNames, Store, type EngineName } from '@exopool/bpf-storage';

export interface EngineOptions {
  readonly engine?: EngineName;
}

export function engineOption(): Option {
  return new Option('--engine <name>', 'engine that reads the tables')
    .choices([...engineNames])
    .default('auto');
}

/** @throws ExopoolError `EXOPOOL_NOT_FOUND` when there is no store, `EXOPOOL_CORRUPT`, `EXOPOOL_UNSUPPORTED`. */
export function openForReading(path: string, options: EngineOptions): Promise<Store> {
  return Store.open(path, { readOnly: true, createIfMissing: false, engine: options.engine ?? 'auto' });
}
