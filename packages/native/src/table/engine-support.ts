/** Which lookup engines run on this machine. */
import { ExopoolError } from '@exopool/shared';
import { tableEngines } from '../contracts.js';
import { fixHere } from '../load-binding.js';
import { driverEngineSupport } from './driver-support.js';
import { loopEngineSupport } from './loop-support.js';
import { ringRefusal } from './ring-support.js';
import { tableBinding } from './table-binding.js';
import type { EngineSupport, TableEngine } from './table-engine.js';

let support: readonly EngineSupport[] | undefined;

/**
 * Tells which engines this machine and this build offer, and what would enable the others. Asked once a process.
 * @throws ExopoolError `EXOPOOL_NATIVE` when the addon cannot be loaded.
 * @example
 * ```ts
 * import { tableEngineSupport } from '@exopool/native';
 *
 * for (const { engine, available, reason, fix } of tableEngineSupport())
 *   console.log(engine, available ? 'runs' : `does not run: ${reason}; ${fix}`);
 * ```
 */
export function tableEngineSupport(): readonly EngineSupport[] {
  if (support !== undefined) return support;
  const { available, reason, fix } = tableBinding().bpfSupport();
  const ringError = tableBinding().ringError();
  support = [
    { engine: 'pread', available: true },
    { engine: 'io-uring', available: ringError === 0, ...(ringError === 0 ? {} : ringRefusal(ringError)) },
    { engine: 'page-cache-bpf', available, ...(available ? {} : { reason, fix: fixHere(fix) }) },
    ...loopEngineSupport(),
    driverEngineSupport(),
  ];
  return support;
}

/** @throws `EXOPOOL_INVALID` for an unknown name, `EXOPOOL_UNSUPPORTED` for an engine that cannot run here. */
export function requireEngine(engine: TableEngine): void {
  if (!tableEngines.includes(engine)) {
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `"${engine}" is no engine; there are: ${tableEngines.join(', ')}`,
    );
  }
  const { available, reason, fix } = tableEngineSupport().find((candidate) => candidate.engine === engine)!;
  if (available) return;
  throw new ExopoolError(
    'EXOPOOL_UNSUPPORTED',
    `engine ${engine} cannot run: ${reason!}; to enable it: ${fix!}`,
  );
}
