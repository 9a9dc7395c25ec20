/**
 * The combined stack on one machine: real processes on loopback, real data, and the same workload with and without
 * leased memory. stack.ts draws the processes, schedule.ts the order of what is measured.
 *
 * This file ends every process and removes every file of the run, also after a failure. First it removes leftovers of
 * earlier runs that were killed.
 */
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProducerStats } from '@exopool/memtrade';
import { MachineJournal, tableEngineSupport, undoLeftovers } from '@exopool/native';
import { formatBytes, MiB, toExopoolError } from '@exopool/shared';
import { makeChecks } from './checks.js';
import { measuredEngine, type ConsumerPlan } from './consumer-plan.js';
import { findRemains } from './cleanup-check.js';
import { createDiskLimit, type DiskLimit } from './disk-limit.js';
import { runHarvestStage, type HarvestStage } from './harvest-stage.js';
import { LiveView, type LiveState } from './live-view.js';
import { loadData, type DemoData, type LoadedData } from './load-data.js';
import type { ConsumerFigures } from './messages.js';
import type { DemoResult } from './result.js';
import type { Slice } from './schedule.js';
import { Stack } from './stack.js';
import { createStateFolder, removeDeadFolders, stateBase } from './state-folder.js';
import { waitUntil } from './wait-until.js';

export interface DemoOptions {
  readonly data: DemoData;
  /** Length of the measured part, at least {@link secondsMin}. */
  readonly seconds: number;
  /** No live view, even on a terminal. */
  readonly headless: boolean;
  /** The file that runs the `exopool` command. */
  readonly mainPath: string;
  readonly signal: AbortSignal;
}

/** In a shorter run a slice would end before the caches have settled. */
export const secondsMin = 10;
/** The store's own memory as a share of the data. All other reads go to leased memory or to the disk. */
const localShare = 0.1;
/** Smaller than the usual 64 MiB of the market, so that the small data set is spread over both producers. */
const slabMib = 16;
/** Leased memory per byte of data: a log needs slack, and no single producer should hold all data. */
const leaseMargin = 2;
/** Free memory that a producer leaves on the machine. */
const floorMib = 256;
const smallDataBytes = 20 * MiB;
const seed = 42;

/** @throws ExopoolError if a part of the stack fails, or `EXOPOOL_ABORTED`. It cleans up in that case, too. */
export async function runDemo(options: DemoOptions): Promise<DemoResult> {
  const base = await stateBase();
  await undoLeftovers();
  await removeDeadFolders(base);
  const folder = await createStateFolder(base);
  const state: LiveState = { phase: 'starting' };
  const view = new LiveView(state, options.headless);
  const journal = MachineJournal.open();
  const stack = new Stack(options.mainPath, options.signal);
  let result: DemoResult;
  try {
    result = await measure({ options, stack, journal, folder, state });
  } finally {
    view.stop();
    await stack.close();
    await journal.undoAll();
    await rm(folder, { recursive: true, force: true });
  }
  const remains = findRemains({ ...stack.traces, paths: [...stack.traces.paths, folder, journal.path] });
  if (remains.length > 0) process.stderr.write(`exopool demo: left behind: ${remains.join(', ')}\n`);
  return { ...result, checks: { ...result.checks, cleaned_up: remains.length === 0 } };
}

/** The resources of a run. */
interface Run {
  readonly options: DemoOptions;
  readonly stack: Stack;
  readonly journal: MachineJournal;
  readonly folder: string;
  readonly state: LiveState;
}

async function measure(run: Run): Promise<DemoResult> {
  const { options, stack, journal, folder, state } = run;
  const storePath = join(folder, 'store');
  const digestsPath = join(folder, 'digests');
  const loaded = await load(run, storePath, digestsPath);
  const slabs = Math.ceil((loaded.bytes * leaseMargin) / (slabMib * MiB));

  state.phase = 'starting the broker';
  const { endpoint, caFile, market } = await startBroker(run);
  const harvest = await runHarvestStage(stack, market('redis'), storePath, state, options.signal);
  // Without harvesting, the producer of idle memory offers all slabs.
  const idleMib = slabMib * (harvest.skipped === undefined ? Math.ceil(slabs / 2) : slabs);
  state.phase = 'starting a producer of idle memory';
  await stack.startCommand('producer idle', ['producer', ...market('idle'), '--max-mib', String(idleMib)]);

  harvest.enter('beside');
  const cacheBytes = Math.round(loaded.bytes * localShare);
  const disk = limitDisk(journal, folder);
  const { seconds } = options;
  const paths = { storePath, digestsPath, endpoint, caFile };
  const plan = { ...paths, seconds, cacheBytes, slabs, seed, diskLimit: disk.limit };
  const consumer = await runConsumer(run, plan);
  return {
    ...resultOf(consumer, harvest),
    data: { name: options.data.name, entries: loaded.entries, bytes: loaded.bytes },
    cacheBytes,
    limitedSkipped: disk.skipped,
  };
}

async function load({ options, state }: Run, storePath: string, digestsPath: string): Promise<LoadedData> {
  const { data, signal } = options;
  const onProgress = (bytes: number): void => {
    state.phase = `loading ${data.name}: ${formatBytes(bytes)}`;
  };
  const loaded = await loadData(data, storePath, digestsPath, onProgress, signal);
  if (loaded.bytes < smallDataBytes)
    state.note = `only ${formatBytes(loaded.bytes)} of data: figures say little`;
  return loaded;
}

interface Market {
  readonly endpoint: string;
  readonly caFile: string;
  /** Flags for a producer of that name to join the market. */
  readonly market: (name: string) => string[];
}

async function startBroker({ stack, folder }: Run): Promise<Market> {
  const slab = ['--slab-mib', String(slabMib)];
  const stateDir = ['--state-dir', join(folder, 'broker')];
  const { facts } = await stack.startCommand('broker', ['broker', '--port', '0', ...slab, ...stateDir]);
  const endpoint = String(facts['endpoint']);
  const caFile = String(facts['caFile']);
  const common = ['--broker', endpoint, '--ca-file', caFile, '--floor-mib', String(floorMib), ...slab];
  const market = (name: string): string[] => [...common, '--identity-file', join(folder, `${name}.identity`)];
  return { endpoint, caFile, market };
}

/** The limit, or the reason why there is none. */
function limitDisk(journal: MachineJournal, folder: string): { limit?: DiskLimit; skipped?: string } {
  try {
    return { limit: createDiskLimit(journal, folder) };
  } catch (error) {
    return { skipped: toExopoolError(error).message };
  }
}

async function runConsumer({ options, stack, state }: Run, plan: ConsumerPlan): Promise<ConsumerFigures> {
  state.phase = 'leasing memory';
  const { child } = await stack.startConsumer(plan);
  state.consumer = () => child.figures as ConsumerFigures | undefined;
  return waitUntil(() => {
    stack.assertRunning();
    const figures = child.figures as ConsumerFigures | undefined;
    if (figures?.slice) state.phase = phaseOf(figures.slice);
    return figures?.done === true && figures;
  }, options.signal);
}

function phaseOf({ kind, mode, disk }: Slice): string {
  if (kind === 'warm-up') return 'warming up: the remote tier fills from what is read';
  if (kind === 'warm-file') return 'the table in the page cache: engine auto';
  return `reading ${mode} the remote tier, ${disk === 'limited' ? 'a limited disk' : "this machine's disk"}`;
}

function resultOf(
  consumer: ConsumerFigures,
  harvest: HarvestStage,
): Omit<DemoResult, 'data' | 'cacheBytes' | 'limitedSkipped'> {
  const bpf = tableEngineSupport().find(({ engine }) => engine === 'page-cache-bpf');
  const bpfUnavailable = bpf?.available === true ? undefined : (bpf?.reason ?? 'this build does not have it');
  const { leases, leasedBytes, price, charged, disks, comparison, lookups } = consumer;
  const producer = harvest.producer?.figures as ProducerStats | undefined;
  return {
    engine: measuredEngine,
    leasedBytes,
    disks,
    comparison,
    lookups,
    market: { leases, price, charged },
    redis: harvest.redis(),
    redisSkipped: harvest.skipped,
    harvestedBytes: producer?.harvest.harvestedBytes ?? 0,
    checks: makeChecks({ consumer, bpfUnavailable }),
  };
}
