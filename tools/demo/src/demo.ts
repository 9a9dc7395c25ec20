/**
 * The combined stack on one machine: real processes on loopback, real data, and the same workload with and without
 * leased memory. stack.ts draws the processes, schedule.ts the order of what is measured.
 *
 * Everything that is started or made is ended and removed here, whatever happens. What an earlier run that was killed
 * left behind is removed first.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProducerStats } from '@exopool/memtrade';
import { tableEngineSupport, undoLeftovers } from '@exopool/native';
import { formatBytes, MiB } from '@exopool/shared';
import { makeChecks } from './checks.js';
import { measuredEngine } from './consumer-plan.js';
import { findRemains } from './cleanup-check.js';
import { runHarvestStage, type HarvestStage } from './harvest-stage.js';
import { LiveView, type LiveState } from './live-view.js';
import { loadData, type DemoData, type LoadedData } from './load-data.js';
import type { ConsumerFigures } from './messages.js';
import type { DemoResult } from './result.js';
import { Stack } from './stack.js';
import { createStateFolder, removeDeadFolders, stateBase } from './state-folder.js';
import { waitUntil } from './wait-until.js';

export interface DemoOptions {
  readonly data: DemoData;
  /** Of the measured part, at least {@link secondsMin}. */
  readonly seconds: number;
  /** No live view, also on a terminal. */
  readonly headless: boolean;
  /** The file that runs the `exopool` command. */
  readonly mainPath: string;
  readonly signal: AbortSignal;
}

/** Shorter, a slice would be over before the caches have settled. */
export const secondsMin = 10;
/** The store's own memory, as a share of the data: the rest has to come from somewhere. */
const localShare = 0.1;
/** Smaller than the market's usual 64 MiB, so that this little data is spread over both producers. */
const slabMib = 16;
/** Of leased memory for each byte of data: a log wants slack, and no single producer should have it all. */
const leaseMargin = 2;
/** Memory that stays free on the machine. */
const floorMib = 256;
const smallDataBytes = 20 * MiB;
const seed = 42;

/** @throws ExopoolError when a part of the stack fails, or `EXOPOOL_ABORTED`; nothing is left behind then either. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const base = await stateBase();
  await undoLeftovers();
  await removeDeadFolders(base);
  const folder = await createStateFolder(base);
  const state: LiveState = { phase: 'starting' };
  const view = new LiveView(state, options.headless);
  const stack = new Stack(options.mainPath, options.signal);
  let result: DemoResult;
  try {
    result = await measure(options, stack, folder, state);
  } finally {
    view.stop();
    await stack.close();
    await rm(folder, { recursive: true, force: true });
  }
  const remains = findRemains({ ...stack.traces, paths: [...stack.traces.paths, folder] });
  if (remains.length > 0) process.stderr.write(`exopool demo: left behind: ${remains.join(', ')}\n`);
  return { ...result, checks: { ...result.checks, cleaned_up: remains.length === 0 } };
}

async function measure(
  options: DemoOptions,
  stack: Stack,
  folder: string,
  state: LiveState,
): Promise<DemoResult> {
  const { data, signal } = options;
  const storePath = join(folder, 'store');
  const digestsPath = join(folder, 'digests');
  const onProgress = (bytes: number): void => {
    state.phase = `loading ${data.name}: ${formatBytes(bytes)}`;
  };
  const loaded = await loadData(data, storePath, digestsPath, onProgress, signal);
  state.note =
    loaded.bytes < smallDataBytes
      ? `only ${formatBytes(loaded.bytes)} of data: figures say little`
      : undefined;
  const slabs = Math.ceil((loaded.bytes * leaseMargin) / (slabMib * MiB));

  state.phase = 'starting the broker';
  const broker = await stack.startCommand('broker', [
    ...['broker', '--port', '0', '--slab-mib', String(slabMib), '--state-dir', join(folder, 'broker')],
  ]);
  const endpoint = String(broker.facts['endpoint']);
  const caFile = String(broker.facts['caFile']);
  const identityFile = (name: string): string => join(folder, `${name}.identity`);
  const market = (name: string): string[] => [
    ...['--broker', endpoint, '--ca-file', caFile, '--identity-file', identityFile(name)],
    ...['--slab-mib', String(slabMib), '--floor-mib', String(floorMib)],
  ];
  const harvest = await runHarvestStage(stack, market('redis'), storePath, state, signal);
  // Where nothing is harvested the idle memory has to do.
  const idleSlabs = harvest.skipped === undefined ? Math.ceil(slabs / 2) : slabs;
  state.phase = 'starting a producer of idle memory';
  await stack.startCommand('producer idle', [
    'producer',
    ...market('idle'),
    '--max-mib',
    String(idleSlabs * slabMib),
  ]);

  harvest.enter('beside');
  const cacheBytes = Math.round(loaded.bytes * localShare);
  const plan = {
    storePath,
    digestsPath,
    endpoint,
    caFile,
    seconds: options.seconds,
    cacheBytes,
    slabs,
    seed,
  };
  const consumer = await runConsumer(stack, plan, state, signal);
  return makeResult(data, loaded, cacheBytes, consumer, harvest);
}

async function runConsumer(
  stack: Stack,
  plan: Parameters<Stack['startConsumer']>[0],
  state: LiveState,
  signal: AbortSignal,
): Promise<ConsumerFigures> {
  state.phase = 'leasing memory';
  const { child } = await stack.startConsumer(plan);
  state.consumer = () => child.figures as ConsumerFigures | undefined;
  return waitUntil(() => {
    stack.assertRunning();
    const figures = child.figures as ConsumerFigures | undefined;
    if (figures?.slice) state.phase = phaseOf(figures);
    return figures?.done === true && figures;
  }, signal);
}

function phaseOf({ slice }: ConsumerFigures): string {
  if (slice?.kind === 'warm-up') return 'warming up: the remote tier fills from what is read';
  if (slice?.kind === 'warm-file') return 'the table in the page cache: engine auto';
  return `reading ${slice?.mode ?? ''} the remote tier`;
}

function makeResult(
  data: DemoData,
  loaded: LoadedData,
  cacheBytes: number,
  consumer: ConsumerFigures,
  harvest: HarvestStage,
): DemoResult {
  const bpf = tableEngineSupport().find(({ engine }) => engine === 'page-cache-bpf');
  const bpfUnavailable = bpf?.available === true ? undefined : (bpf?.reason ?? 'this build does not have it');
  const { leases, leasedBytes, price, charged, modes, comparison } = consumer;
  return {
    data: { name: data.name, entries: loaded.entries, bytes: loaded.bytes },
    engine: measuredEngine,
    cacheBytes,
    leasedBytes,
    modes,
    comparison,
    lookups: consumer.lookups,
    market: { leases, price, charged },
    redis: harvest.redis(),
    redisSkipped: harvest.skipped,
    harvestedBytes: (harvest.producer?.figures as ProducerStats | undefined)?.harvest.harvestedBytes ?? 0,
    checks: makeChecks({ consumer, bpfUnavailable }),
  };
}
