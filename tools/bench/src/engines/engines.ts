/**
 * `bench lookup --engines`: our lookup engines against each other, by depth and chains in flight.
 *
 *   on this machine   lookups per second, in memory and from disks          host.ts
 *   in guests         counted instructions per hop, where engines run that this kernel does not have (--vm)
 *
 * What cannot run here is a note with the reason, and the rest goes on.
 */
import { undoLeftovers } from '@exopool/native';
import { toExopoolError } from '@exopool/shared';
import { Janitor } from '../machine/janitor.js';
import { WorkFolder } from '../machine/work-folder.js';
import type { Row, SuiteOptions, SuiteResult } from '../suite.js';
import { parseCounted } from './counted.js';
import { buildCounter, countLookups, nvmeReadMs, ringKernel } from './guest-count.js';
import { countDriver, driverKernel } from './guest-driver.js';
import { guestPlan, type GuestPlan } from './guest-plan.js';
import { guestRows, type Run } from './guest-rows.js';
import { hostBytesNeeded, hostPlan, ratioRowName } from './host-plan.js';
import { HostRun } from './host.js';
import { enginePlots } from './plots.js';
import { checksOf, driverRatios, hostRatios, ringRatios, targets } from './ratios.js';

export async function runEngines(options: SuiteOptions): Promise<SuiteResult> {
  await undoLeftovers();
  return await new EnginesRun(options).run();
}

class EnginesRun {
  readonly #rows: Row[] = [];
  readonly #notes: string[] = [];
  readonly #startMs = performance.now();
  #ring: Run = { kernel: ringKernel, counted: [] };
  #driver: Run = { kernel: driverKernel, counted: [] };

  constructor(private readonly options: SuiteOptions) {}

  async run(): Promise<SuiteResult> {
    if (this.options.vm) await this.#guests();
    else await this.#host();
    const runs = [this.#ring, this.#driver];
    const ratios = {
      ...hostRatios(this.#rows, ratioRowName),
      ...ringRatios(this.#ring.counted),
      ...driverRatios(this.#driver.counted),
    };
    return {
      suite: 'lookup-engines',
      setup: this.#setup(),
      notes: this.#notes,
      rows: [...this.#rows, ...runs.flatMap(guestRows)],
      ratios,
      checks: checksOf(ratios),
      plots: enginePlots(runs),
    };
  }

  async #host(): Promise<void> {
    const plan = hostPlan(this.options);
    const { folder: base, keep } = this.options;
    const folder = await WorkFolder.open({ base, keep, bytesNeeded: hostBytesNeeded });
    const janitor = await Janitor.start(folder.isKept ? undefined : folder.path);
    try {
      const { rows, notes } = await new HostRun(plan, folder.path, this.#context).run();
      this.#rows.push(...rows);
      this.#notes.push(...notes);
    } finally {
      await folder.close();
      await janitor.close();
    }
  }

  async #guests(): Promise<void> {
    const plan = guestPlan(this.options);
    await this.#orNote('in guests', async () => {
      const program = await buildCounter(this.options.signal);
      for (const fileSystem of plan.fileSystems)
        await this.#orNote(fileSystem, async () => {
          this.#say(`counting on ${fileSystem}, under Linux ${ringKernel}`);
          this.#ring = this.#extend(this.#ring, await countLookups(program, fileSystem, plan, this.#context));
        });
    });
    await this.#orNote('the driver is not counted', async () => {
      this.#driver = this.#extend(this.#driver, await countDriver('ext4', plan, this.#context));
    });
  }

  #extend({ kernel, counted: before }: Run, printed: string): Run {
    const { counted, refused } = parseCounted(printed);
    const reasons = new Set(
      refused.map(({ engine, refused: reason }) => `${engine} is not counted: ${reason}`),
    );
    for (const reason of reasons) this.#note(reason);
    return { kernel, counted: [...before, ...counted] };
  }

  /** A part that fails is a note; a wish to stop is not. */
  async #orNote(what: string, work: () => Promise<void>): Promise<void> {
    try {
      await work();
    } catch (error) {
      this.options.signal.throwIfAborted();
      this.#note(`${what}: ${toExopoolError(error).message}`);
    }
  }

  #setup(): Record<string, unknown> {
    const { quick, vm } = this.options;
    const { depths, chains, ...others } = vm ? guestSetup(this.options) : hostPlan(this.options);
    return {
      quick,
      elapsed_s: Math.round((performance.now() - this.#startMs) / 1000),
      depths: depths.join(' '),
      chains: chains.join(' '),
      ...others,
      targets,
    };
  }

  get #context(): { readonly signal: AbortSignal; say(line: string): void } {
    return { signal: this.options.signal, say: (line) => this.#say(line) };
  }

  #note(text: string): void {
    this.#notes.push(text);
    this.#say(text);
  }

  #say(text: string): void {
    this.options.say(`[${Math.round((performance.now() - this.#startMs) / 1000)} s] ${text}`);
  }
}

function guestSetup(
  options: SuiteOptions,
): Omit<GuestPlan, 'fileSystems' | 'driverChains'> & Record<string, unknown> {
  const { fileSystems, driverChains, ...plan } = guestPlan(options);
  return {
    ...plan,
    driver_chains: driverChains.join(' '),
    file_systems: fileSystems.join(' '),
    nvme_read_ms: nvmeReadMs,
  };
}
