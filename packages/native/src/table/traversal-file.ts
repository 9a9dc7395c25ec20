/**
 * A user-defined traversal over one file: the addon's side of it. The caller chooses engine and bundle, and decides what
 * the end of a chain means.
 */
import { fileURLToPath } from 'node:url';
import { getSystemErrorName } from 'node:util';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { traversalEnds } from '../contracts.js';
import { ExtentPin } from './extent-pin.js';
import { loadBinding } from '../load-binding.js';
import { engineNumber, type TableEngine } from './table-engine.js';

/** The folder with `include/` and `kernel/traversal/`, which compiling a traversal needs. */
export const traversalSourceFolder = fileURLToPath(new URL('../..', import.meta.url));

/** One way for a chain to end: see include/traversal.h. */
export type TraversalEnd = (typeof traversalEnds)[number];

/** How one chain ended. */
export interface TraversalOutcome {
  readonly end: TraversalEnd;
  /** Blocks that the chain visited. */
  readonly hops: number;
  /** Offset of the block that was visited or requested last, bytes. */
  readonly offset: number;
  /** For `io`: an errno. */
  readonly error: number;
  /** For `done`. */
  readonly value?: Buffer;
}

/** Counters since the traversal was opened. No BPF program can change them. */
export interface TraversalCounters {
  readonly chains: number;
  /** Blocks that were visited. */
  readonly hops: number;
  /** Chains by their end. */
  readonly ends: Readonly<Record<TraversalEnd, number>>;
  /** Chains that returned from the kernel and went on at user level, by reason. */
  readonly returned: Readonly<Record<TraversalEnd, number>>;
}

/** What to open, and by which engine. */
export interface TraversalOpening {
  readonly file: string;
  /** The native twin, a shared object. */
  readonly twin: string;
  /** The BPF object; `pread` and `io-uring` do not open it. */
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

/**
 * One file that a user-defined traversal can walk.
 * @example
 * ```ts
 * import { TraversalFile } from '@exopool/native/internal';
 *
 * const [twin, program] = ['next.so', 'next.bpf.o'];
 * const traversal = TraversalFile.open({ file: 'data.sqlite', twin, program, engine: 'pread' });
 * console.log(await traversal.run([Buffer.from('key')], 16), traversal.counters());
 * traversal.close();
 * ```
 */
export class TraversalFile {
  #handle: Handle | undefined;
  #pin: ExtentPin | undefined;

  private constructor(private readonly file: string) {}

  /**
   * Opens the file and loads the traversal.
   * @throws `EXOPOOL_TRAVERSAL` (the verifier refuses the program), `EXOPOOL_UNSUPPORTED` (the engine cannot run here, or
   * not on this file), `EXOPOOL_NOT_FOUND`, `EXOPOOL_INVALID` (the file is empty, or the bundle of another exopool)
   */
  static open(opening: TraversalOpening): TraversalFile {
    const traversal = new TraversalFile(opening.file);
    if (opening.engine !== 'nvme-bpf') {
      traversal.#open(opening);
      return traversal;
    }
    // The file is pinned while the handle lives. The journal knows that first, for the case that we are killed.
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

  /**
   * Runs one chain for each input.
   * @param hopsMax most blocks that a chain may visit.
   * @throws `EXOPOOL_CLOSED`
   */
  async run(inputs: readonly Uint8Array[], hopsMax: number): Promise<TraversalOutcome[]> {
    const outcomes = await binding().runTraversal(this.#required(), inputs, hopsMax);
    return outcomes.map((outcome) => ({ ...outcome, end: traversalEnds[outcome.end]! }));
  }

  /** The counters now. @throws `EXOPOOL_CLOSED` */
  counters(): TraversalCounters {
    const counters = binding().traversalCounters(this.#required());
    const named = (counts: readonly number[]): Record<TraversalEnd, number> =>
      Object.fromEntries(traversalEnds.map((end, i) => [end, counts[i]!])) as Record<TraversalEnd, number>;
    return { ...counters, ends: named(counters.ends), returned: named(counters.returned) };
  }

  /** Closes the file without waiting. Batches in flight finish. Idempotent. */
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
      throw new ExopoolError('EXOPOOL_CLOSED', `${this.file}: the traversal is closed; load it again`);
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
    return new ExopoolError('EXOPOOL_UNSUPPORTED', `engine ${engine} cannot run: ${text}`);
  const name = getSystemErrorName(-error);
  if (name === 'EINVAL') return new ExopoolError('EXOPOOL_INVALID', text);
  return toExopoolError(Object.assign(new Error(name), { code: name }), `cannot open ${text}`);
}
