/**
 * Suite lookup: the store and its peers on data that does not fit in memory, and on data that does.
 *
 *   load       each contender alone, under the tight limit; if that fails, again under the roomy one, untimed
 *   rounds     each contender in turn, another one first in each round; then the device by fio
 *                tight   a process under a quarter of the data: cold and warm reads
 *                roomy   a process under a limit that fits everything: hot reads
 *   rounds     each contender in turn: durable updates and mixed work; last, since they change the files
 *
 * A contender that fails keeps its rows, with the reason. The others continue.
 */
import { join } from 'node:path';
import { undoLeftovers } from '@exopool/native';
import { formatBytes, formatCount, toExopoolError } from '@exopool/shared';
import { assertKnown, isWanted } from '../only.js';
import type { Row, SuiteOptions, SuiteResult } from '../suite.js';
import { spreadOf } from '../statistics.js';
import { measureDevice, whyNoFio, type DeviceSpeed } from '../machine/fio.js';
import { Janitor } from '../machine/janitor.js';
import { ReadAhead } from '../machine/read-ahead.js';
import { WorkFolder } from '../machine/work-folder.js';
import { contenders } from './contenders/index.js';
import type { Contender } from './contenders/contender.js';
import { diskBytesNeeded, planOf, mayBegin, rotated, type Plan } from './plan.js';
import { lookupPicture } from './picture.js';
import { lookupPlots } from './plots.js';
import { checksOf, deviceRowName, ratiosOf, targets } from './ratios.js';
import { loadRow, rowOf, type Measured } from './rows.js';
import { TurnTaker, whyNoLimit } from './take-turn.js';
import { nameOf, type Workload } from './workloads.js';

/** Share of the time for writes, if the time of a run is limited. */
const writeShare = 1 / 5;
const deviceDepth = 128;
const deviceFile = 'device.fio';

export async function runLookup(options: SuiteOptions): Promise<SuiteResult> {
  assertKnown(
    options.only,
    contenders.map(({ name }) => name),
  );
  await undoLeftovers();
  const plan = planOf(options);
  const taking = contenders.filter(({ name }) => isWanted(options.only, name));
  const folder = await WorkFolder.open({
    base: options.folder,
    keep: options.keep,
    bytesNeeded: diskBytesNeeded(plan, taking.length),
  });
  const janitor = await Janitor.start(folder.isKept ? undefined : folder.path);
  const readAhead = await ReadAhead.lower(folder.path);
  try {
    return await new LookupRun(plan, taking, folder, readAhead, options).run();
  } finally {
    await readAhead.close();
    await folder.close();
    await janitor.close();
  }
}

class LookupRun {
  readonly #rows: Row[] = [];
  readonly #notes: string[] = [];
  readonly #measured = new Map<string, Measured[]>();
  readonly #failed = new Map<string, string>();
  readonly #device: DeviceSpeed[] = [];
  readonly #startMs = performance.now();
  readonly #turns: TurnTaker;
  #readRounds = 0;
  #writeRounds = 0;

  constructor(
    private readonly plan: Plan,
    private readonly taking: readonly Contender[],
    private readonly folder: WorkFolder,
    private readonly readAhead: ReadAhead,
    private readonly options: SuiteOptions,
  ) {
    this.#turns = new TurnTaker(plan, folder, options.signal);
  }

  async run(): Promise<SuiteResult> {
    const noLimit = whyNoLimit();
    const noFio = await whyNoFio();
    for (const note of [noLimit, noFio, this.readAhead.note]) if (note !== undefined) this.#note(note);
    await this.#loadAll();
    const { budgetSeconds } = this.plan;
    const readUntil = budgetSeconds * (1 - writeShare);
    this.#readRounds = await this.#repeat(readUntil, (round) => this.#readRound(round, noFio === undefined));
    this.#writeRounds = await this.#repeat(budgetSeconds, (round) => this.#writeRound(round));
    return this.#result();
  }

  /** @returns the number of rounds. */
  async #repeat(untilSeconds: number, work: (round: number) => Promise<void>): Promise<number> {
    let longestSeconds = 0;
    let round = 0;
    while (mayBegin(round, { elapsedSeconds: this.#seconds, longestSeconds, untilSeconds }, this.plan)) {
      const startSeconds = this.#seconds;
      await work(round);
      longestSeconds = Math.max(longestSeconds, this.#seconds - startSeconds);
      round += 1;
    }
    return round;
  }

  get #seconds(): number {
    return (performance.now() - this.#startMs) / 1000;
  }

  async #loadAll(): Promise<void> {
    for (const contender of this.taking) {
      const { name, loadApi } = contender;
      if (await this.folder.isLoaded(name, this.#loadKey(contender))) {
        this.#say(`${name}: loaded by an earlier run`);
        continue;
      }
      this.#say(`${name}: loading ${formatCount(this.plan.records)} records`);
      const result = await this.#orFailure(() => this.#turns.load(contender));
      if (!('failed' in result) || (await this.#loadRoomily(contender, result.failed)))
        await this.folder.markLoaded(name, this.#loadKey(contender));
      this.#rows.push(loadRow(name, loadApi, this.plan.records, result));
    }
  }

  /** A contender that cannot load under the limit loses that row, but memory may suffice for its reads. */
  async #loadRoomily(contender: Contender, why: string): Promise<boolean> {
    const { name } = contender;
    this.#note(`${name}: loads only under ${formatBytes(this.plan.roomyBytes)}: ${why}`);
    const again = await this.#orFailure(() => this.#turns.load(contender, this.plan.roomyBytes));
    if (!('failed' in again)) return true;
    this.#failed.set(name, `not loaded: ${again.failed}`);
    this.#note(`${name}: not loaded: ${again.failed}`);
    return false;
  }

  #loadKey({ description, loadApi }: Contender): string {
    return JSON.stringify({ records: this.plan.records, memory: this.plan.tightBytes, description, loadApi });
  }

  async #readRound(round: number, hasFio: boolean): Promise<void> {
    const { workloads, tightBytes, roomyBytes, readSeconds } = this.plan;
    for (const contender of rotated(this.taking, round)) {
      this.#saying(round, contender, `reads under ${formatBytes(tightBytes)}`);
      await this.#turn(contender, {
        workloads: workloads.limited,
        memoryBytes: tightBytes,
        seconds: readSeconds,
      });
    }
    if (hasFio) await this.#measureDevice();
    for (const contender of rotated(this.taking, round)) {
      this.#saying(round, contender, 'reads in memory');
      await this.#turn(contender, {
        workloads: workloads.hot,
        memoryBytes: roomyBytes,
        seconds: readSeconds,
      });
    }
  }

  async #writeRound(round: number): Promise<void> {
    const { workloads, tightBytes, writeSeconds } = this.plan;
    for (const contender of rotated(this.taking, round)) {
      this.#saying(round, contender, 'writes');
      await this.folder.markChanged(contender.name);
      await this.#turn(contender, {
        workloads: workloads.writing,
        memoryBytes: tightBytes,
        seconds: writeSeconds,
      });
    }
  }

  async #turn(
    contender: Contender,
    turn: { readonly workloads: readonly Workload[]; readonly memoryBytes: number; readonly seconds: number },
  ): Promise<void> {
    const failed = this.#failed.get(contender.name);
    const missing = new Set(turn.workloads);
    const add = (workload: Workload, measured: Measured): void => {
      missing.delete(workload);
      const key = keyOf(contender, workload);
      this.#measured.set(key, [...(this.#measured.get(key) ?? []), measured]);
    };
    const outcome =
      failed === undefined
        ? await this.#orFailure(async () => {
            await this.#turns.windows(contender, turn, add);
            return { done: true };
          })
        : { failed };
    if (!('failed' in outcome)) return;
    if (failed === undefined) this.#note(`${contender.name}: ${outcome.failed}`);
    for (const workload of missing) add(workload, { failed: outcome.failed });
  }

  async #measureDevice(): Promise<void> {
    this.#say(`fio: random reads at depth ${deviceDepth}`);
    const file = join(this.folder.path, deviceFile);
    const { dataBytes, readSeconds } = this.plan;
    const seconds = Math.max(1, Math.round(readSeconds));
    const result = await this.#orFailure(() =>
      measureDevice(file, { bytes: dataBytes, depth: deviceDepth, seconds, signal: this.options.signal }),
    );
    if ('failed' in result) this.#note(`fio: ${result.failed}`);
    else this.#device.push(result);
  }

  /** A failure of one contender is a result. An abort is passed on. */
  async #orFailure<T extends object>(work: () => Promise<T>): Promise<T | { readonly failed: string }> {
    try {
      return await work();
    } catch (error) {
      this.options.signal.throwIfAborted();
      return { failed: toExopoolError(error).message };
    }
  }

  #result(): SuiteResult {
    const { limited, hot, writing } = this.plan.workloads;
    for (const workload of [...limited, ...hot, ...writing]) {
      for (const contender of this.taking) {
        this.#rows.push(
          rowOf(contender.name, workload, this.#measured.get(keyOf(contender, workload)) ?? []),
        );
      }
    }
    if (this.#device.length > 0) this.#rows.push(deviceRow(this.#device));
    const ratios = ratiosOf(this.#rows);
    return {
      suite: 'lookup',
      setup: this.#setup(),
      notes: this.#notes,
      rows: this.#rows,
      ratios,
      checks: checksOf(ratios),
      plots: lookupPlots(this.#rows),
      picture: lookupPicture(this.#rows, { ...this.plan, rounds: this.#readRounds }),
    };
  }

  #setup(): Record<string, unknown> {
    const { records, dataBytes, hotRecords, tightBytes, roomyBytes, readSeconds, writeSeconds } = this.plan;
    const isLimited = whyNoLimit() === undefined;
    return {
      records,
      data_bytes: dataBytes,
      memory_limit_bytes: isLimited ? tightBytes : null,
      memory_limit_hot_bytes: isLimited ? roomyBytes : null,
      read_ahead_kib: this.readAhead.kib ?? null,
      hot_records: hotRecords,
      rounds: this.#readRounds,
      write_rounds: this.#writeRounds,
      window_s: readSeconds,
      write_window_s: writeSeconds,
      quick: this.options.quick,
      elapsed_s: Math.round(this.#seconds),
      contenders: Object.fromEntries(this.taking.map(({ name, description }) => [name, description])),
      targets,
    };
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.#say(text);
  }

  #saying(round: number, { name }: Contender, what: string): void {
    this.#say(`round ${round + 1}: ${name}: ${what}`);
  }

  #say(text: string): void {
    this.options.say(`[${Math.round(this.#seconds)} s] ${text}`);
  }
}

function keyOf({ name }: Contender, workload: Workload): string {
  return `${name}\n${nameOf(workload)}`;
}

function deviceRow(rounds: readonly DeviceSpeed[]): Row {
  const iops = spreadOf(rounds.map((round) => round.iops));
  const median = (of: (round: DeviceSpeed) => number): number => spreadOf(rounds.map(of)).median;
  return {
    name: deviceRowName,
    contender: 'fio',
    engine: 'io_uring, O_DIRECT',
    ops_per_s: iops.median,
    ops_per_s_min: iops.min,
    ops_per_s_max: iops.max,
    p50_us: median(({ p50Us }) => p50Us),
    p99_us: median(({ p99Us }) => p99Us),
    p999_us: median(({ p999Us }) => p999Us),
    bytes_read_per_op: 4096,
  };
}
