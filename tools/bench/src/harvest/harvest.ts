/**
 * Suite harvest: memory that a producer harvests from an application, the cost for it, and the cost of serving slabs.
 *
 *   simulation    the policy on a simulated application, one constant at a time
 *   slab server   beside Redis, in turn
 *   give-back     the return of leased memory in a shortage
 *   burst         on a harvested Redis
 *   ablation      the harvester's constants, on a small Redis
 *   rounds        each application without and with a harvester, in turn
 *   guests        rounds of some applications, with zram that moves idle pages to a disk (`--vm`)
 *
 * A part that fails keeps its row, with the reason. The others continue.
 */
import { setImmediate as nextTurn } from 'node:timers/promises';
import { undoLeftovers } from '@exopool/native';
import { formatBytes, toExopoolError } from '@exopool/shared';
import { Janitor } from '../machine/janitor.js';
import { WorkFolder } from '../machine/work-folder.js';
import { assertKnown, isWanted } from '../only.js';
import type { Plot, Row, SuiteOptions, SuiteResult } from '../suite.js';
import type { Application } from './applications/application.js';
import { batch } from './applications/batch.js';
import { memcached, redis } from './applications/key-value.js';
import { postgresql } from './applications/postgresql.js';
import { burstRounds, burstRows } from './burst.js';
import { guestNote, measureInGuest } from './guest.js';
import { guestCases, guestName, guestRatios, guestRows } from './guest-case.js';
import { giveBackRounds, giveBackRows, graceMs, percentile } from './give-back.js';
import { realAblationRows } from './real-ablation.js';
import { planOf, type HarvestPlan } from './plan.js';
import { ablationPlot, timePlot } from './plots.js';
import { checksOf, harvestRatios, targets, targetsAtMost } from './ratios.js';
import { harvestRounds } from './rounds.js';
import { harvestRows } from './rows.js';
import { ablationRows } from './simulation/ablation.js';
import { slabRounds } from './slab-against-redis.js';
import { slabRatios, slabRows } from './slab-rows.js';

const applications: readonly Application[] = [redis, memcached, postgresql, batch];
const parts = [
  'slab server',
  'give-back',
  'simulation',
  ...applications.map(({ name }) => name),
  'burst',
  'ablation',
];
/** Disk space for the data files of PostgreSQL, its log, and sorting. */
const diskFactor = 3;

export async function runHarvest(options: SuiteOptions): Promise<SuiteResult> {
  assertKnown(options.only, [...parts, ...(options.vm ? guestCases.map(guestName) : [])]);
  await undoLeftovers();
  const plan = planOf(options);
  const folder = await WorkFolder.open({
    base: options.folder,
    keep: false,
    bytesNeeded: plan.applicationBytes.postgresql * diskFactor,
  });
  const janitor = await Janitor.start(folder.path);
  try {
    return await new HarvestRun(plan, folder.path, options).run();
  } finally {
    await folder.close();
    await janitor.close();
  }
}

class HarvestRun {
  readonly #rows: Row[] = [];
  readonly #plots: Plot[] = [];
  readonly #notes: string[] = [];
  readonly #ratios: Record<string, number> = {};
  readonly #startMs = performance.now();

  constructor(
    private readonly plan: HarvestPlan,
    private readonly folder: string,
    private readonly options: SuiteOptions,
  ) {}

  async run(): Promise<SuiteResult> {
    await this.#part('slab server', () => this.#measureSlabServer());
    await this.#part('give-back', () => this.#measureGiveBack());
    await this.#part('simulation', () => this.#simulate());
    if (process.getuid?.() !== 0)
      this.#note('nothing was harvested: limiting an application needs root, so run as root');
    else await this.#measureHarvests();
    if (this.options.vm) await this.#measureGuests();
    return {
      suite: 'harvest',
      setup: setupOf(this.plan),
      notes: this.#notes,
      rows: this.#rows,
      ratios: this.#ratios,
      checks: checksOf(this.#ratios),
      plots: this.#plots,
    };
  }

  async #measureHarvests(): Promise<void> {
    for (const [index, application] of applications.entries()) {
      // Each gets its share of the remaining time, so that each gets some.
      const untilMs = this.#startMs + this.plan.roundsUntilSeconds * 1000;
      const partMs = (untilMs - performance.now()) / (applications.length - index);
      const lateMs = performance.now() + partMs;
      await this.#part(application.name, () => this.#measureApplication(application, lateMs));
    }
    await this.#part('burst', async () => {
      this.#rows.push(...burstRows(await burstRounds(this.#roundOptions)));
    });
    if (this.plan.ablation === undefined) return;
    await this.#part('ablation', async () => {
      this.#rows.push(...(await realAblationRows(this.#roundOptions)));
    });
  }

  async #measureGuests(): Promise<void> {
    for (const one of guestCases)
      await this.#part(guestName(one), async () => {
        const say = (line: string): void => this.#say(line);
        const figures = await measureInGuest(one, this.plan, { ...this.options, say });
        this.#rows.push(...guestRows(one, figures));
        Object.assign(this.#ratios, guestRatios(one, figures));
        if (!this.#notes.includes(guestNote)) this.#note(guestNote);
      });
  }

  /** @param lateMs a round that would probably end later is not started. */
  async #measureApplication(application: Application, lateMs: number): Promise<void> {
    const { windowSeconds, flatOutSeconds, harvestSeconds } = this.plan;
    const roundMs = 1000 * (2 * (windowSeconds + flatOutSeconds) + harvestSeconds);
    const isLate = (): boolean => performance.now() + roundMs > lateMs;
    const rounds = await harvestRounds(application, this.#roundOptions, isLate);
    const { name, workload } = application;
    this.#rows.push(...harvestRows(name, workload, rounds));
    Object.assign(this.#ratios, harvestRatios(name, rounds));
    this.#plots.push(timePlot(name, rounds[0]!));
    if (rounds.length < this.plan.rounds) this.#note(`${name}: time for ${rounds.length} rounds only`);
  }

  async #measureSlabServer(): Promise<void> {
    const rounds = await slabRounds(this.plan.slab, this.options.signal);
    this.#rows.push(...slabRows(rounds));
    Object.assign(this.#ratios, slabRatios(rounds));
  }

  async #measureGiveBack(): Promise<void> {
    const { giveBack } = this.plan;
    const result = await giveBackRounds(giveBack, this.options.signal);
    this.#rows.push(...giveBackRows(result, giveBack.bytes));
    this.#ratios['giveback_1gib_ms_p99'] = percentile(result.emergencyMs, 0.99);
    if (giveBack.bytes < 2 ** 30)
      this.#note(`giveback_1gib_ms_p99 is of ${formatBytes(giveBack.bytes)}: the full form takes 1 GiB`);
  }

  async #simulate(): Promise<void> {
    const { signal } = this.options;
    const breathe = async (): Promise<void> => {
      await nextTurn();
      signal.throwIfAborted();
    };
    const rows = await ablationRows(this.plan.simulatedHours, breathe);
    this.#rows.push(...rows);
    this.#plots.push(ablationPlot(rows));
  }

  get #roundOptions(): Parameters<typeof harvestRounds>[1] {
    return {
      plan: this.plan,
      folder: this.folder,
      signal: this.options.signal,
      say: (line) => this.#say(line),
    };
  }

  /** Runs a part unless `--only` excludes it. A failure becomes a row, and the run continues. */
  async #part(name: string, work: () => Promise<void>): Promise<void> {
    const { only, signal } = this.options;
    signal.throwIfAborted();
    if (!isWanted(only, name)) return;
    this.#say(name);
    try {
      await work();
    } catch (error) {
      signal.throwIfAborted();
      const failed = toExopoolError(error).message;
      this.#rows.push({ name, contender: name, failed });
      this.#note(`${name}: ${failed}`);
    }
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.#say(text);
  }

  #say(text: string): void {
    const seconds = Math.round((performance.now() - this.#startMs) / 1000);
    this.options.say(`${String(seconds).padStart(4)} s  ${text}`);
  }
}

function setupOf(plan: HarvestPlan): Record<string, unknown> {
  const { times, applicationBytes, floorShare } = plan;
  const sizes = Object.entries(applicationBytes).map(([name, bytes]) => [`${name}_bytes`, bytes]);
  return {
    ...(Object.fromEntries(sizes) as Record<string, number>),
    rounds: plan.rounds,
    window_seconds: plan.windowSeconds,
    harvest_seconds: plan.harvestSeconds,
    cooling_seconds: times.coolingSeconds,
    epoch_seconds: times.epochSeconds,
    floor_share: floorShare,
    chunks_per_application: plan.chunksPerApplication,
    giveback_bytes: plan.giveBack.bytes,
    giveback_rounds: plan.giveBack.rounds,
    grace_ms: graceMs,
    simulated_hours: plan.simulatedHours,
    targets,
    targets_at_most: targetsAtMost,
  };
}
