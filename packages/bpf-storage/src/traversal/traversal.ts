/**
 * User-defined traversals: how to get from one block of a file to the next is the user's own C function; engines,
 * bounds and results are ours. docs/traversals.md teaches to write one.
 */
import { existsSync } from 'node:fs';
import { getSystemErrorName } from 'node:util';
import { tableEngineSupport, type EngineSupport, type TableEngine } from '@exopool/native';
import {
  TraversalFile,
  traversalInputMaxBytes,
  type TraversalCounters,
  type TraversalOutcome,
} from '@exopool/native/internal';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import { chooseEngine, parseEngineName, requireEngine, type EngineName } from '../tables/engine.js';
import { openBundle, type TraversalBundle } from './traversal-bundle.js';

/** Inputs in one call: results of 4 KiB are then 256 MiB, and more inputs gain nothing. */
const inputsMax = 65_536;
/** Blocks that a chain may see unless its caller says otherwise: a b-tree has a few, a row of 1 MiB 256 more. */
const hopsMaxDefault = 1024;
/** A file of 4 GiB, block by block. */
const hopsMaxMax = 1 << 20;

export interface TraversalOptions {
  /** The bundle that {@link buildTraversal} made. */
  readonly object: string;
  /** The file to traverse. It must not become shorter meanwhile. */
  readonly file: string;
  /**
   * `auto` (default) takes `io-uring`, else `pread`. `page-cache-bpf` is for files that are in memory, `io-uring-bpf` and
   * `nvme-bpf` want Linux 7.1. All give the same results.
   */
  readonly engine?: EngineName;
  /** Blocks that one chain may see, 1 to 1,048,576; default 1024. */
  readonly hopsMax?: number | undefined;
}

/** What became of one input. */
export type TraversalResult =
  | { readonly status: 'done'; readonly value: Buffer; readonly hops: number }
  | { readonly status: 'not-found'; readonly hops: number }
  /**
   * `EXOPOOL_CORRUPT`: the traversal says that the file contradicts itself, or a result exceeds 16 MiB.
   * `EXOPOOL_TRAVERSAL`: it broke a rule: too many hops, an offset outside the file or between blocks, no verdict, it
   * did not return, or it wrote to its input. `EXOPOOL_IO`: a block could not be read.
   */
  | { readonly status: 'failed'; readonly error: ExopoolError; readonly hops: number };

export class Traversal {
  /** The engine that runs. */
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
   * Loads a bundle's programs for one file.
   * @throws `EXOPOOL_UNSUPPORTED` (the engine cannot run here, or not on this file), `EXOPOOL_TRAVERSAL` (the verifier
   * refuses the traversal; the message has its reason), `EXOPOOL_NOT_FOUND`, `EXOPOOL_CORRUPT` or `EXOPOOL_VERSION` (the
   * bundle), `EXOPOOL_INVALID`
   */
  static async load(options: TraversalOptions): Promise<Traversal> {
    const hopsMax = options.hopsMax ?? hopsMaxDefault;
    if (!Number.isInteger(hopsMax) || hopsMax < 1 || hopsMax > hopsMaxMax)
      throw new ExopoolError('EXOPOOL_INVALID', `hopsMax is 1 to ${hopsMaxMax}, not ${hopsMax}`);
    if (!existsSync(options.file))
      throw new ExopoolError('EXOPOOL_NOT_FOUND', `${options.file}: there is no such file`);
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
   * Runs one chain for each input, in any order, and tells what became of each.
   * @param inputs at most 65,536, of at most 128 bytes each; what they mean is the traversal's
   * @throws `EXOPOOL_INVALID`, `EXOPOOL_CLOSED`; what goes wrong in a chain is in its result
   */
  async run(inputs: readonly Uint8Array[]): Promise<TraversalResult[]> {
    if (inputs.length > inputsMax)
      throw new ExopoolError('EXOPOOL_INVALID', `${inputs.length} inputs in one call; at most ${inputsMax}`);
    for (const input of inputs as readonly unknown[]) requireInput(input);
    const outcomes = await this.#file.run(inputs, this.#hopsMax);
    return outcomes.map((outcome) => this.#resultOf(outcome));
  }

  /** Since it was loaded: chains by how they ended, and those that came back from the kernel, by why. */
  stats(): TraversalCounters {
    return this.#file.counters();
  }

  /** Idempotent. Batches under way finish. */
  async close(): Promise<void> {
    this.#file.close();
    return Promise.resolve();
  }

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
  bound: 'the traversal wants more hops than it may have (hopsMax)',
  outside: 'the traversal goes to an offset outside the file',
  unaligned: 'the traversal goes to an offset that is no multiple of 4096',
  garbage: 'the traversal returned no verdict, or an impossible result',
  wroteInput: 'the traversal wrote to its input',
  endless: 'the traversal did not return',
};

/** The engines of tables, without those that this bundle has no program for. */
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
  if (input.byteLength > traversalInputMaxBytes)
    throw new ExopoolError(
      'EXOPOOL_INVALID',
      `an input has ${input.byteLength} bytes; at most ${traversalInputMaxBytes}`,
    );
}
