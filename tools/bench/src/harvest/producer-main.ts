/**
 * A producer and its broker in a separate process: the work of `exopool producer` with these settings. It reports over
 * its IPC channel.
 */
import { join } from 'node:path';
import { runAsChild, tellParent } from '@exopool/demo/child-process';
import { runBroker, runProducer } from '@exopool/memtrade';

interface ProducerArgument {
  readonly folder: string;
  readonly settings: object;
}

await runAsChild(async (signal, report) => {
  const { folder, settings } = JSON.parse(process.argv[2] ?? '{}') as ProducerArgument;
  const broker = await runBroker({ port: 0, stateDir: join(folder, 'broker') });
  const identityFile = join(folder, 'producer-identity');
  const market = { broker: broker.endpoint, caFile: broker.caFile, identityFile };
  const producer = await runProducer({ ...market, ...settings });
  try {
    report.start(() => producer.stats().harvest);
    tellParent({ type: 'ready', facts: {} });
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      signal.addEventListener('abort', () => resolve(), { once: true });
    });
  } finally {
    report.stop();
    await producer.close();
    await broker.close();
  }
});
