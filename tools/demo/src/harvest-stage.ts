/**
 * Harvesting from Redis: a server under a steady load, and its latency before and during the harvest. Nothing else runs
 * meanwhile, since the readers of the store would need the same processors and distort the comparison.
 *
 *   fill | before (the harvester learns) | during (it takes a chunk at a time) | beside the readers
 */
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import type { ProducerStats } from '@exopool/memtrade';
import { MiB } from '@exopool/shared';
import type { Child } from './child.js';
import type { LiveState } from './live-view.js';
import type { RedisFigures, RedisWindow } from './messages.js';
import { freePort, type Stack } from './stack.js';
import { pause, waitUntil } from './wait-until.js';

/** Size of the data in Redis: real data, repeated to this size. A tenth of it stays hot. */
const fillBytes = 256 * MiB;
const epochSeconds = 0.25;
/** The harvester learns for 20 s. Filling Redis takes about 5 s of them. */
const baselinePoints = 80;
/** Small steps: a server of 256 MiB must not lose a fifth of its memory at once. */
const chunkMib = 16;
const coolingSeconds = 0.5;
/** Enough for a dozen chunks. */
const harvestSeconds = 10;
/** Past this the harvester has a reason not to begin, such as swap that is full. */
const startTimeoutMs = 60_000;
/** On a small machine the load alone lets the latency of PING vary by some milliseconds. */
const dropSlackMs = 5;

export interface HarvestStage {
  readonly producer: Child | undefined;
  /** Reason why there is no Redis, or no harvesting from it. */
  readonly skipped: string | undefined;
  redis(): RedisFigures | undefined;
  /** Counts latencies from now on for that window. */
  enter(window: RedisWindow): void;
}

/** Starts Redis beside a producer, fills it, and harvests from it. */
export async function runHarvestStage(
  stack: Stack,
  market: readonly string[],
  storePath: string,
  state: LiveState,
  signal: AbortSignal,
): Promise<HarvestStage> {
  if (!isInstalled('redis-server'))
    return leftOut('redis-server is not installed: apt-get install redis-server');
  state.phase = 'starting Redis beside a producer';
  const port = await freePort();
  const { child: producer } = await stack.startCommand('producer redis', [
    'producer',
    ...market,
    ...['--max-mib', '0', '--redis', `127.0.0.1:${port}`, '--drop-slack', String(dropSlackMs)],
    ...['--epoch-seconds', String(epochSeconds), '--cooling-seconds', String(coolingSeconds)],
    ...['--chunk-mib', String(chunkMib)],
    ...[
      '--baseline-points-min',
      String(baselinePoints),
      '--recovery-seconds',
      '5',
      '--recent-window-seconds',
      '5',
    ],
    '--',
    ...['redis-server', '--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'],
  ]);
  const stats = (): ProducerStats | undefined => producer.figures as ProducerStats | undefined;
  const { state: harvestState, reason } = (await waitUntil(stats, signal)).harvest;
  if (harvestState === 'off') return leftOut(reason ?? 'harvesting is off', producer);

  state.phase = 'filling Redis';
  const { child: load } = await stack.startRedisLoad({ port, storePath, fillBytes, seed: 1 });
  const redis = (): RedisFigures | undefined => load.figures as RedisFigures | undefined;
  const enter = (window: RedisWindow): void => load.send({ window });
  state.redis = redis;
  state.harvestedBytes = () => stats()?.harvest.harvestedBytes;
  state.phase = 'measuring Redis before anything is taken from it';
  const startMs = performance.now();
  await waitUntil(() => {
    stack.assertRunning();
    return hasBegun(stats()) || performance.now() - startMs > startTimeoutMs;
  }, signal);
  if (!hasBegun(stats()))
    return leftOut(`nothing could be harvested: ${stats()?.harvest.state ?? ''}`, producer);
  enter('during');
  state.phase = 'harvesting from Redis';
  await pause(harvestSeconds * 1000, signal);
  return { producer, skipped: undefined, redis, enter };
}

function hasBegun(stats: ProducerStats | undefined): boolean {
  return (stats?.harvest.steps ?? 0) > 0;
}

function leftOut(skipped: string, producer?: Child): HarvestStage {
  return { producer, skipped, redis: () => undefined, enter: () => undefined };
}

function isInstalled(program: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => existsSync(join(folder, program)));
}
