/** The process of a load: answers `fill` and `run` over its IPC channel, and ends when its parent process has ended. */
import { KeyValueLoad, type KeyValuePlan, type RunOptions } from './key-value-load.js';
import { toExopoolError } from '@exopool/shared';

export type LoadRequest = { readonly type: 'fill' } | ({ readonly type: 'run' } & RunOptions);

const load = new KeyValueLoad(JSON.parse(process.argv[2] ?? '{}') as KeyValuePlan);

process.once('disconnect', () => process.exit(0));
process.on('message', (request: LoadRequest) => {
  const work = request.type === 'fill' ? load.fill() : load.run(request);
  work.then(
    (result) => process.send?.({ result: result ?? null }),
    (error: unknown) => process.send?.({ error: toExopoolError(error).message }),
  );
});
