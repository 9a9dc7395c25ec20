/** The demo's consumer: a process with readers and a store whose cache tier is leased memory. */
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Store } from '@exopool/bpf-storage';
import { BrokerClient, RemoteMemory } from '@exopool/memtrade';
import { tableEngineSupport } from '@exopool/native';
import { Identity } from '@exopool/shared';
import { runAsChild, tellParent, type Report } from './child-process.js';
import { measuredEngine, type ConsumerPlan } from './consumer-plan.js';
import { joinDiskLimit, setDiskLimit, volumeReadsPerSecond } from './disk-limit.js';
import { compareEngines, type EngineComparison } from './engine-comparison.js';
import { readKeyDigests, type KeyDigests } from './key-digests.js';
import type { ConsumerFigures, ModeFigures, ModePair } from './messages.js';
import { seededRandom } from './random.js';
import { ReaderLoop } from './reader-loop.js';
import { makeSchedule, type Disk, type Mode, type Slice } from './schedule.js';
import { TierLatencies } from './statistics.js';
import { TierProbe } from './tier-probe.js';
import { zipf } from './zipf.js';

const leaseSeconds = 60;

interface ModeRecord {
  readonly readsPerSecond: number[];
  readonly latencies: TierLatencies;
}

class Consumer {
  readonly #plan: ConsumerPlan;
  readonly #store: Store;
  readonly #remote: RemoteMemory;
  readonly #probe: TierProbe;
  readonly #data: KeyDigests;
  readonly #loop: ReaderLoop;
  readonly #disks: Readonly<Record<Disk, Readonly<Record<Mode, ModeRecord>>>> = {
    own: { without: emptyRecord(), with: emptyRecord() },
    limited: { without: emptyRecord(), with: emptyRecord() },
  };
  #slice: Slice | undefined;
  #comparison: EngineComparison | undefined;
  #done = false;
  #reportedAtMs = performance.now();

  constructor(plan: ConsumerPlan, store: Store, remote: RemoteMemory, probe: TierProbe, data: KeyDigests) {
    this.#plan = plan;
    this.#store = store;
    this.#remote = remote;
    this.#probe = probe;
    this.#data = data;
    this.#loop = new ReaderLoop(store, probe, data, zipf(data.keys.length, seededRandom(plan.seed)));
  }

  async run(signal: AbortSignal): Promise<void> {
    const { seconds, diskLimit } = this.#plan;
    for (const slice of makeSchedule(seconds, diskLimit ? ['own', 'limited'] : ['own'])) {
      if (signal.aborted) return;
      this.#slice = slice;
      if (diskLimit) setDiskLimit(diskLimit, slice.disk === 'limited' ? volumeReadsPerSecond : undefined);
      this.#probe.enabled = slice.mode === 'with';
      if (slice.kind === 'warm-file') await this.#runWarmFile(slice, signal);
      else await this.#runSlice(slice, signal);
    }
    this.#done = true;
  }

  async #runSlice(slice: Slice, signal: AbortSignal): Promise<void> {
    const measured = slice.kind === 'measure';
    const mode = this.#disks[slice.disk][slice.mode];
    const rate = await this.#loop.run(slice.seconds, measured ? mode.latencies : new TierLatencies(), signal);
    if (measured) mode.readsPerSecond.push(rate);
  }

  /** Reads the table file into the page cache, so that the engine `auto` can walk it inside the kernel. */
  async #runWarmFile(slice: Slice, signal: AbortSignal): Promise<void> {
    for (const name of await readdir(this.#plan.storePath)) {
      if (name.endsWith('.table')) await readFile(join(this.#plan.storePath, name));
    }
    this.#store.setEngine('auto');
    await this.#loop.run(slice.seconds, new TierLatencies(), signal);
    const engine = 'page-cache-bpf';
    const available = tableEngineSupport().some((support) => support.engine === engine && support.available);
    if (!available || signal.aborted) return;
    const random = seededRandom(this.#plan.seed);
    this.#comparison = await compareEngines(this.#plan.storePath, engine, this.#data.keys, random);
  }

  figures(): ConsumerFigures {
    const recent = this.#loop.recent.summary();
    this.#loop.recent.reset();
    const now = performance.now();
    const seconds = (now - this.#reportedAtMs) / 1000;
    this.#reportedAtMs = now;
    const { lookupsByEngine } = this.#store.stats();
    const leases = this.#remote.leases();
    const { checked, wrong } = this.#loop.counters;
    return {
      slice: this.#slice,
      readsPerSecond: recent.all.count / seconds,
      recent,
      disks: { own: bothModes(this.#disks.own), limited: bothModes(this.#disks.limited) },
      leases: leases.length,
      leasedBytes: leases.reduce((sum, lease) => sum + lease.slabs * lease.slabBytes, 0),
      price: leases[0]?.price ?? 0,
      charged: this.#remote.stats().charged,
      valuesChecked: checked,
      valuesWrong: wrong,
      lookups: Object.fromEntries(
        Object.entries(lookupsByEngine).map(([name, count]) => [name, count.lookups]),
      ),
      comparison: this.#comparison,
      done: this.#done,
    };
  }
}

function emptyRecord(): ModeRecord {
  return { readsPerSecond: [], latencies: new TierLatencies() };
}

function bothModes(records: Readonly<Record<Mode, ModeRecord>>): ModePair {
  return { without: summaryOf(records.without), with: summaryOf(records.with) };
}

function summaryOf({ readsPerSecond, latencies }: ModeRecord): ModeFigures {
  return { readsPerSecond, latency: latencies.summary() };
}

async function main(plan: ConsumerPlan, signal: AbortSignal, report: Report): Promise<void> {
  const { endpoint, caFile, storePath, cacheBytes, slabs, diskLimit } = plan;
  if (diskLimit) joinDiskLimit(diskLimit, process.pid);
  const identity = new Identity();
  const data = await readKeyDigests(plan.digestsPath);
  const broker = await BrokerClient.connect({ endpoint, caFile, identity });
  try {
    const remote = await RemoteMemory.open({
      broker,
      identity,
      slabs,
      minimumSlabs: 1,
      leaseSeconds,
      seal: 'aes-128-gcm',
    });
    try {
      const probe = new TierProbe(remote.tier);
      // Direct reads bypass the page cache, so the only local memory is the store's own.
      const local = { readOnly: true, createIfMissing: false, direct: true, cacheBytes } as const;
      await using store = await Store.open(storePath, { ...local, engine: measuredEngine, cacheTier: probe });
      const consumer = new Consumer(plan, store, remote, probe, data);
      report.start(() => consumer.figures());
      tellParent({ type: 'ready', facts: {} });
      try {
        await consumer.run(signal);
      } finally {
        report.stop();
      }
      tellParent({ type: 'figures', figures: consumer.figures() });
    } finally {
      await remote.close();
    }
  } finally {
    broker.close();
  }
}

const plan = JSON.parse(process.argv[2] ?? '{}') as ConsumerPlan;
await runAsChild((signal, report) => main(plan, signal, report));
