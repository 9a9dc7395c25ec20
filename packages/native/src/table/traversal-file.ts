/**
 * A user-defined traversal over one file: the addon's side of it. Which engine, which files of a bundle, and what an
 * ended chain means to a caller is decided above.
 */
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { ExtentPin } from './extent-pin.js';
import { loadBinding } from '../load-binding.js';
import { engineNumber, type TableEngine } from './table-engine.js';

/** Longest input of a chain, bytes (TRAVERSAL_INPUT_MAX). */
export const traversalInputMaxBytes = 128;

/** Where `include/` and `kernel/traversal/` are, which every traversal is compiled with. */
export const traversalSourceFolder = fileURLToPath(new URL('../..', import.meta.url));

/** How a chain ended, in the order of the numbers in include/traversal.h. */
const ends = [
  'going',
  'done',
  'notFound',
  'failed',
  'user',
  'bound',
  'outside',
  'unaligned',
  'garbage',
  'wroteInput',
  'endless',
  'io',
  'stale',
  'straddle',
] as const;
export type TraversalEnd = (typeof ends)[number];

/** How one chain ended. */
export interface TraversalOutcome {
  readonly end: TraversalEnd;
  /** Blocks that it saw. */
  readonly hops: number;
  /** Of the block that was seen last, or asked for, bytes. */
  readonly offset: number;
  /** Of `io`: an errno. */
  readonly error: number;
  /** Of `done`. */
  readonly value?: Buffer;
}

/** Since the traversal was opened. Counted where no program can change it. */
export interface TraversalCounters {
  readonly chains: number;
  /** Blocks that were seen. */
  readonly hops: number;
  /** Chains by how they ended. */
  readonly ends: Readonly<Record<TraversalEnd, number>>;
  /** Chains that came back from the kernel and went on at user level, by why. */
  readonly returned: Readonly<Record<TraversalEnd, number>>;
}

export interface TraversalOpening {
  readonly file: string;
  /** The native twin, a shared object. */
  readonly twin: string;
  /** The object for the kernel; not opened by `pread` and `io-uring`. */
  readonly program: string;
  readonly engine: TableEngine;
}

type Handle = object;
type Opened =
  | { readonly handle: Handle }
  | {
      readonly handle?: never;
      readonly kind: 'io' | 'unsupported' | 'refused';
      readonly error: number;
      readonly text: string;
    };

/** See addon/door/traversal_binding.cc. */
interface TraversalBinding {
  openTraversal(file: string, twin: string, program: string, engine: number): Opened;
  closeTraversal(handle: Handle): void;
  runTraversal(
    handle: Handle,
    inputs: readonly Uint8Array[],
    hopsMax: number,
  ): Promise<(Omit<TraversalOutcome, 'end'> & { readonly end: number })[]>;
  traversalCounters(handle: Handle): {
    readonly chains: number;
    readonly hops: number;
    readonly ends: readonly number[];
    readonly returned: readonly number[];
  };
}

function binding(): TraversalBinding {
  return loadBinding() as unknown as TraversalBinding;
}

export class TraversalFile {
  #handle: Handle | undefined;
  #pin: ExtentPin | undefined;

  private constructor(private readonly file: string) {}

  /**
   * @throws `EXOPOOL_TRAVERSAL` (the verifier refuses the program), `EXOPOOL_UNSUPPORTED` (the engine cannot run here, or
   * not on this file), `EXOPOOL_NOT_FOUND`, `EXOPOOL_INVALID` (the file is empty, or the bundle of another exopool)
   */
  static open(opening: TraversalOpening): TraversalFile {
    const traversal = new TraversalFile(opening.file);
    if (opening.engine !== 'nvme-bpf') {
      traversal.#open(opening);
      return traversal;
    }
    // The file is held as long as the handle lives: the journal has it before, for who is killed.
    traversal.#pin = ExtentPin.take(
      opening.file,
      () => {
        traversal.#open(opening);
        return '';
      },
      () => traversal.#release(),
    );
    return traversal;
  }

  /** One outcome for each input. @throws `EXOPOOL_CLOSED` */
  async run(inputs: readonly Uint8Array[], hopsMax: number): Promise<TraversalOutcome[]> {
    const outcomes = await binding().runTraversal(this.#required(), inputs, hopsMax);
    return outcomes.map((outcome) => ({ ...outcome, end: ends[outcome.end]! }));
  }

  /** @throws `EXOPOOL_CLOSED` */
  counters(): TraversalCounters {
    const counters = binding().traversalCounters(this.#required());
    const named = (counts: readonly number[]): Record<TraversalEnd, number> =>
      Object.fromEntries(ends.map((end, i) => [end, counts[i]!])) as Record<TraversalEnd, number>;
    return { ...counters, ends: named(counters.ends), returned: named(counters.returned) };
  }

  /** Idempotent; waits for nothing. Batches under way finish. */
  close(): void {
    if (this.#pin === undefined) this.#release();
    else this.#pin.release();
    this.#pin = undefined;
  }

  #release(): void {
    if (this.#handle !== undefined) binding().closeTraversal(this.#handle);
    this.#handle = undefined;
  }

  #open({ file, twin, program, engine }: TraversalOpening): void {
    const opened = binding().openTraversal(file, twin, program, engineNumber(engine));
    if (opened.handle === undefined) throw refusalError(opened, engine);
    this.#handle = opened.handle;
  }

  #required(): Handle {
    if (this.#handle === undefined)
      throw new ExopoolError('EXOPOOL_CLOSED', `${this.file}: the traversal is closed`);
    return this.#handle;
  }
}

function refusalError(
  refusal: Exclude<Opened, { readonly handle: Handle }>,
  engine: TableEngine,
): ExopoolError {
  const { kind, error, text } = refusal;
  if (kind === 'refused')
    return new ExopoolError('EXOPOOL_TRAVERSAL', `the kernel's verifier refuses the traversal: ${text}`);
  if (kind === 'unsupported')
    return new ExopoolError('EXOPOOL_UNSUPPORTED', `the engine ${engine} cannot run: ${text}`);
  const name = getSystemErrorName(-error);
  if (name === 'EINVAL') return new ExopoolError('EXOPOOL_INVALID', text);
  return toExopoolError(Object.assign(new Error(name), { code: name }), `${text}: cannot be opened`);
}
