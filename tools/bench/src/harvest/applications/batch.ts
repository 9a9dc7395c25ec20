/** A batch job in memory: PageRank over a graph. It keeps the edge list beside the index. */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MachineJournal, MemoryCgroup } from '@exopool/native';
import { CagedProcess } from '../../machine/caged-process.js';
import type { LoadWindow } from '../load/window.js';
import type { Application, ApplicationPlan, RunningApplication } from './application.js';

const batchMain = fileURLToPath(new URL('batch-main.js', import.meta.url));

export const batch: Application = {
  name: 'batch',
  workload: 'PageRank over a random graph; an operation is a 64th of a pass',
  start: startBatch,
};

async function startBatch({ bytes, signal }: ApplicationPlan): Promise<RunningApplication> {
  const journal = MachineJournal.open();
  try {
    const cgroup = MemoryCgroup.create(journal, `bench-batch-${process.pid}`);
    const job = new CagedProcess({
      cage: { processesFile: join(cgroup.path, 'cgroup.procs') },
      module: batchMain,
      argument: { bytes },
      nodeOptions: [],
      env: {},
      signal,
    });
    const close = async (): Promise<void> => {
      await job.close();
      await journal.undoAll();
    };
    return {
      cgroup,
      // It has no metric, like most batch jobs.
      metric: undefined,
      run: async (seconds) => (await job.ask({ seconds })) as LoadWindow,
      runFlatOut: undefined,
      close,
    };
  } catch (error) {
    await journal.undoAll();
    throw error;
  }
}
