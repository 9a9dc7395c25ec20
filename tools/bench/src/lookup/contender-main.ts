/**
 * The process of one contender for one turn. It handles requests of the suite, one after the other, and ends with it.
 */
import { mkdir } from 'node:fs/promises';
import { resourceUsage } from 'node:process';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { diskBytes, dropFromPageCache, readIntoPageCache } from '../machine/cold-files.js';
import { usage } from '../machine/process-usage.js';
import { contenders } from './contenders/index.js';
import type { Entry, Reader, Session } from './contenders/contender.js';
import { inKeyOrder, keyOf, recordBytes, valueOf } from './records.js';
import { readAll, walkAll, Windows } from './window.js';
import type { Answer, LoadResult, Request, TurnSettings, WindowResult } from './turn.js';
import type { Workload } from './workloads.js';

/** Share of a window's time for the trial of each way to read, if there are several. */
const trialShare = 1 / 5;
/** Warm-up before a trial: threads must start, and code must be compiled. */
const trialSecondsMin = 0.25;
/** A warm workload runs for this share of a window's time before it is measured. */
const warmShare = 1;

class Turn {
  readonly #windows: Windows;
  #session: Session | undefined;

  constructor(private readonly settings: TurnSettings) {
    this.#windows = new Windows(settings);
  }

  async answer(request: Request): Promise<unknown> {
    switch (request.type) {
      case 'load':
        return this.#load();
      case 'heat':
        return this.#heat(request);
      case 'window':
        return this.#window(request);
      case 'end':
        return this.#close();
    }
  }

  async #load(): Promise<LoadResult> {
    const before = usage();
    const startMs = performance.now();
    await mkdir(this.settings.folder, { recursive: true });
    await this.#contender.load(recordsInOrder(this.settings.records), this.#storeSettings);
    const seconds = (performance.now() - startMs) / 1000;
    const cpuSeconds = usage().cpuSeconds - before.cpuSeconds;
    return { seconds, cpuSeconds, diskBytes: await diskBytes(this.settings.folder) };
  }

  async #heat({ inRanges }: Request & { type: 'heat' }): Promise<void> {
    await readIntoPageCache(this.settings.folder);
    const session = await this.#open();
    await readAll(session, this.settings.hotRecords);
    if (inRanges) await walkAll(session);
  }

  async #window({ workload, seconds, api: known }: Request & { type: 'window' }): Promise<WindowResult> {
    const api = await this.#chooseApi(
      workload,
      Math.max(Math.min(trialSecondsMin, seconds), seconds * trialShare),
      known,
    );
    const { session, reader } = await this.#ready(workload, api);
    if (workload.temperature === 'warm')
      await this.#windows.run(session, reader, workload, seconds * warmShare);
    const before = usage();
    const driven = await this.#windows.run(session, reader, workload, seconds);
    const after = usage();
    if (workload.operation === 'update' || workload.operation === 'mixed') {
      await this.#windows.checkWrites(session);
    }
    return {
      ...driven,
      api,
      cpuSeconds: after.cpuSeconds - before.cpuSeconds,
      readBytes: after.readBytes - before.readBytes,
      peakRssBytes: resourceUsage().maxRSS * 1024,
    };
  }

  /** The way to read that won an earlier trial, else the winner of a trial now. */
  async #chooseApi(workload: Workload, seconds: number, known: string | undefined): Promise<string> {
    if (known !== undefined) return known;
    if (workload.operation !== 'get' && workload.operation !== 'mixed') return workload.operation;
    const { readers } = await this.#open();
    if (readers.length === 1) return readers[0]!.api;
    let best = { api: '', rate: -1 };
    for (const { api } of readers) {
      const { session, reader } = await this.#ready(workload, api);
      const { calls, seconds: taken } = await this.#windows.run(session, reader, workload, seconds);
      if (calls / taken > best.rate) best = { api, rate: calls / taken };
    }
    return best.api;
  }

  /** The store in the state that the workload needs; opened anew for a cold one. */
  async #ready(workload: Workload, api: string): Promise<{ session: Session; reader: Reader }> {
    if (workload.temperature === 'cold') {
      await this.#close();
      await dropFromPageCache(this.settings.folder);
    }
    const session = await this.#open();
    return { session, reader: session.readers.find((reader) => reader.api === api) ?? session.readers[0]! };
  }

  async #open(): Promise<Session> {
    return (this.#session ??= await this.#contender.open(this.#storeSettings));
  }

  async #close(): Promise<void> {
    const session = this.#session;
    this.#session = undefined;
    await session?.close();
  }

  get #contender(): (typeof contenders)[number] {
    const found = contenders.find(({ name }) => name === this.settings.contender);
    if (found === undefined)
      throw new ExopoolError('EXOPOOL_INVALID', `no contender ${this.settings.contender}`);
    return found;
  }

  get #storeSettings(): { folder: string; memoryBytes: number; dataBytes: number } {
    const { folder, memoryBytes, records } = this.settings;
    return { folder, memoryBytes, dataBytes: records * recordBytes };
  }
}

function* recordsInOrder(records: number): Generator<Entry> {
  for (const index of inKeyOrder(records)) yield { key: keyOf(index), value: valueOf(index, 0) };
}

const settings = JSON.parse(process.argv[2]!) as TurnSettings;
const turn = new Turn(settings);
process.once('disconnect', () => process.exit(1));
process.on('message', (request: Request) => void answer(request));

async function answer(request: Request): Promise<void> {
  let answered: Answer;
  try {
    answered = { result: await turn.answer(request) };
  } catch (error) {
    const { code, message } = toExopoolError(error);
    answered = { error: `${code}: ${message}` };
  }
  if (!process.connected) return;
  process.send?.(answered, undefined, undefined, () => {
    if (request.type === 'end') process.exit(0);
  });
}
