/**
 * `bench lookup --engines`: compares the lookup engines with each other, by depth and chains in flight.
 *
 *   on this machine   lookups per second, in memory and from disks          host.ts
 *   in guests         counted instructions per hop, also of engines that this kernel does not have (--vm)
 *
 * A part that cannot run here becomes a note with the reason, and the rest continues.
 */
import { undoLeftovers } from '@exopool/native';
import { toExopoolError } from '@exopool/shared';
import { Janitor } from '../machine/janitor.js';
import { WorkFolder } from '../machine/work-folder.js';
import type { Row, SuiteOptions, SuiteResult } from '../suite.js';
import { parseCounted } from './counted.js';
import { buildCounter, countLookups, nvmeReadMs, ringKernel } from './guest-count.js';
import { extentRows, shareChecks, shareRows, timeRows } from './driver-figures.js';
import { DriverBench, driverKernel } from './guest-driver.js';
import { guestPlan, type GuestPart, type GuestPlan } from './guest-plan.js';
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
      checks: { ...checksOf(ratios), ...shareChecks(this.#rows) },
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
    if (plan.parts.includes('ring')) await this.#orNote('in guests', () => this.#countRing(plan));
    if (plan.parts.some((part) => part !== 'ring'))
      await this.#orNote('the driver is not measured', () =>
        DriverBench.with(plan, this.#context, (bench) => this.#measureDriver(plan, bench)),
      );
  }

  async #countRing(plan: GuestPlan): Promise<void> {
    const program = await buildCounter(this.options.signal);
    for (const fileSystem of plan.fileSystems)
      await this.#orNote(fileSystem, async () => {
        this.#say(`counting on ${fileSystem}, under Linux ${ringKernel}`);
        this.#ring = this.#extend(this.#ring, await countLookups(program, fileSystem, plan, this.#context));
      });
  }

  async #measureDriver({ parts, fileSystems }: GuestPlan, bench: DriverBench): Promise<void> {
    const step = async (part: GuestPart, what: string, work: () => Promise<void>): Promise<void> => {
      if (!parts.includes(part)) return;
      this.#say(what);
      await this.#orNote(what, work);
    };
    for (const fileSystem of fileSystems) {
      await step('driver', `counting the driver on ${fileSystem}`, async () => {
        this.#driver = this.#extend(this.#driver, await bench.countInstructions(fileSystem));
      });
      await step('null-block', `timing the driver on ${fileSystem}`, async () => {
        this.#rows.push(...timeRows(driverKernel, await bench.time(fileSystem)));
      });
    }
    for (const device of ['/dev/nvme0n1', '/dev/nullb0'] as const)
      await step('fairness', `sharing a CPU with the driver, on ${device}`, async () => {
        this.#rows.push(...shareRows(driverKernel, device, await bench.shareCpu(device)));
      });
    await step('extents', 'looking extents up', async () => {
      this.#rows.push(...extentRows(await bench.lookUpExtents()));
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

  /** A part that fails becomes a note. An abort is passed on. */
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
): Omit<GuestPlan, 'parts' | 'fileSystems' | 'driverChains'> & Record<string, unknown> {
  const { parts, fileSystems, driverChains, ...plan } = guestPlan(options);
  return {
    ...plan,
    parts: parts.join(' '),
    driver_chains: driverChains.join(' '),
    file_systems: fileSystems.join(' '),
    nvme_read_ms: nvmeReadMs,
  };
}
