/** What the commands that read a store have in common. */
import { Option } from 'commander';
import { Store } from '@exopool/bpf-storage';

const engines = [
  'auto',
  'pread',
  'io-uring',
  'page-cache-bpf',
  'io-uring-bpf',
  'nvme-bpf',
  'driver',
] as const;

export interface EngineOptions {
  readonly engine?: (typeof engines)[number];
}

export function engineOption(): Option {
  return new Option('--engine <name>', 'how tables are read').choices(engines).default('auto');
}

/** @throws ExopoolError `EXOPOOL_NOT_FOUND` when there is no store, `EXOPOOL_CORRUPT`, `EXOPOOL_UNSUPPORTED`. */
export function openForReading(path: string, options: EngineOptions): Promise<Store> {
  return Store.open(path, { readOnly: true, createIfMissing: false, engine: options.engine ?? 'auto' });
}
