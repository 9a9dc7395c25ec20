/**
 * User-defined traversals. The user writes a C function that gets from one block of a file to the next; this package has
 * the engines, the limits and the results. docs/traversals.md teaches how to write one.
 */
import { existsSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { tableEngineSupport, type EngineSupport, type TableEngine } from '@exopool/native';
import { TraversalFile, type TraversalCounters, type TraversalOutcome } from '@exopool/native/internal';
import { TRAVERSAL_BLOCK_BYTES, TRAVERSAL_INPUT_MAX } from '@exopool/native/contracts';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { chooseEngine, parseEngineName, requireEngine, type EngineName } from '../tables/engine.js';
import { openBundle, type TraversalBundle } from './traversal-bundle.js';

/** The most inputs of one call: results of 4 KiB are then 256 MiB, and more inputs gain nothing. */
const inputsMax = 65_536;
/** Default limit of the blocks that a chain may read: a b-tree has a few, a row of 1 MiB has 256 more. */
const hopsMaxDefault = 1024;
/** A file of 4 GiB, block by block. */
const hopsMaxMax = 1 << 20;

/** Options of {@link Traversal.load}. */
export interface TraversalOptions {
  /** Path of the bundle that {@link buildTraversal} made. */
  readonly object: string;
  /** Path of the file to traverse. It must not become shorter while the traversal is open. */
  readonly file: string;
  /**
   * Default `auto`: `io-uring`, or `pread` where that cannot run. `page-cache-bpf` is for files in the page cache.
   * `io-uring-bpf` and `nvme-bpf` need Linux 7.1. `driver` runs no traversals. All engines give the same results.
   */
  readonly engine?: EngineName;
  /** The most blocks that one chain may read, 1 to 1,048,576. Default 1024. */
  readonly hopsMax?: number | undefined;
}

/** The result of one input. */
export type TraversalResult =
  | { readonly status: 'done'; readonly value: Buffer; readonly hops: number }
  | { readonly status: 'not-found'; readonly hops: number }
  /**
   * `EXOPOOL_CORRUPT`: the traversal found that a block is damaged, or a result exceeds 16 MiB. `EXOPOOL_TRAVERSAL`: the
   * traversal broke a rule: too many hops, an offset outside the file or between blocks, no verdict, no return, or a
   * write to its input. `EXOPOOL_IO`: a block could not be read.
   */
  | { readonly status: 'failed'; readonly error: ExopoolError; readonly hops: number };

/**
 * A user-defined traversal over one file, ready to run.
 *
 * @example
 * ```js
 * import { writeFileSync } from 'node:fs';
 * import { buildTraversal, Traversal } from '@exopool/bpf-storage';
 *
 * // One hop: the first 8 bytes of the block at the offset that the input holds.
 * writeFileSync('peek.c', `#include <traversal.h>
 * static inline __u64 first(struct traversal *t) { return input_u64(t, 0); }
 * static int next(struct traversal *t) { return give_block(t, 0, 8) ? TRAVERSAL_USER : TRAVERSAL_DONE; }
 * `);
 * writeFileSync('data', 'exopool!'.padEnd(4096));
 * const traversal = await Traversal.load({ object: buildTraversal('peek.c').object, file: 'data' });
 * const [result] = await traversal.run([Buffer.alloc(8)]);
 * console.log(result.status, String(result.value)); // done exopool!
 * await traversal.close();
 * ```
 */
export class Traversal {
  /** The engine in use. */
  readonly engine: TableEngine;
  readonly #file: TraversalFile;
  readonly #path: string;
  readonly #hopsMax: number;

  private constructor(file: TraversalFile, engine: TableEngine, path: string, hopsMax: number) {
    this.#file = file;
    this.engine = engine;
    this.#path = path;
    this.#hopsMax = hopsMax;
  }

  /**
   * Loads the programs of a bundle for one file.
   * @throws ExopoolError `EXOPOOL_UNSUPPORTED` if the engine cannot run here or on this file; `EXOPOOL_TRAVERSAL` if the
   * verifier refuses the traversal, with its reason; `EXOPOOL_NOT_FOUND`, `EXOPOOL_CORRUPT` or `EXOPOOL_VERSION` of the
   * bundle; `EXOPOOL_INVALID`.
   */
  static async load(options: TraversalOptions): Promise<Traversal> {
    const hopsMax = options.hopsMax ?? hopsMaxDefault;
    if (!Number.isInteger(hopsMax) || hopsMax < 1 || hopsMax > hopsMaxMax)
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `hopsMax must be a whole number from 1 to ${hopsMaxMax}, not ${hopsMax}`,
      );
    if (!existsSync(options.file))
      throw new ExopoolError('EXOPOOL_NOT_FOUND', `there is no file ${options.file}; check the path`);
    const bundle = openBundle(options.object);
    const support = traversalEngineSupport(bundle);
    const requested = parseEngineName(options.engine ?? 'auto');
    const engine =
      requested === 'auto'
        ? chooseEngine({ requested, support, residentShare: 0 })
        : requireEngine(requested, support);
    const opening = {
      file: options.file,
      twin: bundle.twin,
      program: bundle.program(engine) ?? '',
      engine,
    };
    return Promise.resolve(new Traversal(TraversalFile.open(opening), engine, options.file, hopsMax));
  }

  /**
   * Runs one chain per input. The chains run in any order; the results have the order of the inputs.
   * @param inputs at most 65,536, of at most 128 bytes each. The traversal defines their meaning.
   * @throws ExopoolError `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`. The error of a chain is in its result.
   */
  async run(inputs: readonly Uint8Array[]): Promise<TraversalResult[]> {
    if (inputs.length > inputsMax)
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `one call takes at most ${inputsMax} inputs, not ${inputs.length}; split them`,
      );
    for (const input of inputs as readonly unknown[]) requireInput(input);
    const outcomes = await this.#file.run(inputs, this.#hopsMax);
    return outcomes.map((outcome) => this.#resultOf(outcome));
  }

  /** Counters since the traversal was loaded: chains by their end, and chains that the kernel returned, by reason. */
  stats(): TraversalCounters {
    return this.#file.counters();
  }

  /** Closes the traversal. Idempotent. Batches in flight finish. */
  async close(): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }

  /** As {@link Traversal.close}, for `await using`. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  #resultOf(outcome: TraversalOutcome): TraversalResult {
    const { end, hops, value } = outcome;
    if (end === 'done') return { status: 'done', value: value!, hops };
    if (end === 'notFound') return { status: 'not-found', hops };
    return { status: 'failed', error: this.#errorOf(outcome), hops };
  }

  #errorOf({ end, offset, error, hops }: TraversalOutcome): ExopoolError {
    const where = `${this.#path}: offset ${offset}`;
    if (end === 'failed')
      return new ExopoolError('EXOPOOL_CORRUPT', `${where}: the traversal finds that the block is damaged`);
    if (end === 'io') {
      const name = getSystemErrorName(-error);
      return toExopoolError(Object.assign(new Error(name), { code: name }), `${where}: cannot be read`);
    }
    const rule = rules[end] ?? `it ended with "${end}"`;
    return new ExopoolError('EXOPOOL_TRAVERSAL', `${where}, after ${hops} hops: ${rule}`);
  }
}

const rules: Readonly<Partial<Record<TraversalOutcome['end'], string>>> = {
  bound: 'the traversal needs more hops than it may take; raise hopsMax if the file is right',
  outside: 'the traversal goes to an offset outside the file',
  unaligned: `the traversal goes to an offset that is no multiple of ${TRAVERSAL_BLOCK_BYTES}`,
  garbage: 'the traversal returned no verdict, or an impossible result',
  wroteInput: 'the traversal wrote to its input',
  endless: 'the traversal did not return',
};

/** The engines that can run this bundle. */
function traversalEngineSupport(bundle: TraversalBundle): EngineSupport[] {
  return tableEngineSupport().map((support) => {
    const { engine, available } = support;
    if (!available || engine === 'pread' || engine === 'io-uring') return support;
    if (bundle.program(engine) !== undefined) return support;
    const fix = 'apt-get install clang libbpf-dev, and build the traversal again';
    return { engine, available: false, reason: 'the traversal was built without clang', fix };
  });
}

function requireInput(input: unknown): void {
  if (!(input instanceof Uint8Array))
    throw new ExopoolError('EXOPOOL_INVALID', 'an input must be a Uint8Array');
  if (input.byteLength > TRAVERSAL_INPUT_MAX)
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `an input must have at most ${TRAVERSAL_INPUT_MAX} bytes, not ${input.byteLength}`,
    );
}
