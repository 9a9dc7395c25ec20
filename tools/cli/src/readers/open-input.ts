/**
 * A file or standard input as a stream of plain bytes. Compression is told by the first bytes, not by the name, so
 * that it works for a pipe too. gzip is Node's own; xz and lz4 run the system's programs as streaming children.
 *
 *   file or stdin -> count -> [gunzip | xz -dc | lz4 -dc] -> chunks
 */
import { spawn } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip } from 'node:zlib';
import { ExopoolError, toExopoolError } from '@exopool/shared';

export interface Input {
  /** What error messages call it. */
  readonly source: string;
  readonly chunks: AsyncIterable<Buffer>;
  /** Bytes of the file as it is stored; undefined for a pipe. */
  readonly totalBytes: number | undefined;
  /** Bytes of the file that have been read by now. */
  bytesRead(): number;
}

const compressions = [
  { program: 'gzip', package: 'gzip', magic: Buffer.from([0x1f, 0x8b]) },
  { program: 'xz', package: 'xz-utils', magic: Buffer.from([0xfd, 0x37, 0x7a, 0x58, 0x5a, 0x00]) },
  { program: 'lz4', package: 'lz4', magic: Buffer.from([0x04, 0x22, 0x4d, 0x18]) },
] as const;

/**
 * @param path a file, or `-` for standard input.
 * @param signal ends the chunks with its reason, also while they wait for a pipe that is silent.
 * @throws ExopoolError when there is no such file.
 */
export async function openInput(path: string, signal?: AbortSignal): Promise<Input> {
  const standard = path === '-';
  const file = standard ? undefined : await stat(path).catch((error: unknown) => fail(error, path));
  let read = 0;
  async function* counted(): AsyncGenerator<Buffer> {
    const stream: Readable = standard ? process.stdin : createReadStream(path, { highWaterMark: 256 * 1024 });
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
    try {
      for (;;) {
        const next = await orAborted(chunks.next(), signal);
        if (next.done === true) return;
        read += next.value.length;
        yield next.value;
      }
    } catch (error) {
      fail(error, path);
    } finally {
      stream.destroy();
    }
  }
  const source = standard ? 'standard input' : path;
  return {
    source,
    chunks: decompress(source, counted()),
    totalBytes: file?.isFile() === true ? file.size : undefined,
    bytesRead: () => read,
  };
}

/** What `work` gives, or the signal's reason when that comes first. */
function orAborted<T>(work: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return work;
  return new Promise((resolve, reject) => {
    const stop = (): void => reject(signal.reason as Error);
    if (signal.aborted) stop();
    signal.addEventListener('abort', stop, { once: true });
    void work.then(resolve, reject).finally(() => signal.removeEventListener('abort', stop));
  });
}

function fail(error: unknown, path: string): never {
  throw toExopoolError(error, `cannot read ${path}`);
}

async function* decompress(source: string, raw: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const [head, all] = await peek(raw);
  const found = compressions.find(({ magic }) => head.subarray(0, magic.length).equals(magic));
  if (found === undefined) yield* all;
  else if (found.program === 'gzip') yield* gunzip(source, all);
  else yield* runProgram(source, all, found.program, found.package);
}

/** The first bytes (enough for every magic, unless the input is shorter) and the whole stream, these included. */
async function peek(raw: AsyncGenerator<Buffer>): Promise<[Buffer, AsyncGenerator<Buffer>]> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 6) {
    const next = await raw.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  async function* all(): AsyncGenerator<Buffer> {
    if (head.length > 0) yield head;
    yield* raw;
  }
  return [head, all()];
}

async function* gunzip(source: string, raw: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  const stream = createGunzip();
  const fed = pipeline(Readable.from(raw), stream).catch((error: unknown) => error);
  try {
    yield* stream as AsyncIterable<Buffer>;
  } catch (error) {
    if (error instanceof ExopoolError) throw error;
    throw new ExopoolError('EXOPOOL_INPUT', `${source} is not sound gzip: ${(error as Error).message}`, {
      cause: error,
    });
  } finally {
    stream.destroy();
    await fed;
  }
}

async function* runProgram(
  source: string,
  raw: AsyncGenerator<Buffer>,
  program: string,
  debianPackage: string,
): AsyncGenerator<Buffer> {
  const child = spawn(program, ['-dc'], { stdio: ['pipe', 'pipe', 'pipe'] });
  const complaint: Buffer[] = [];
  child.stderr.on('data', (chunk: Buffer) => complaint.push(chunk));
  const ended = new Promise<number | null | Error>((resolve) => {
    child.once('error', resolve);
    child.once('close', resolve);
  });
  // When the program gives up early its standard input breaks; its exit status tells more than that EPIPE. An error
  // of the input itself is kept and thrown.
  const fed = pipeline(Readable.from(raw), child.stdin).catch((error: unknown) => error);
  try {
    yield* child.stdout as AsyncIterable<Buffer>;
    const status = await ended;
    if (status instanceof Error) {
      const fix = `apt-get install ${debianPackage}`;
      throw new ExopoolError('EXOPOOL_UNSUPPORTED', `${source} needs the program ${program}: ${fix}`, {
        cause: status,
      });
    }
    const inputFailure = await fed;
    if (inputFailure instanceof ExopoolError) throw inputFailure;
    if (status !== 0) {
      const why = Buffer.concat(complaint).toString('utf8').trim().split('\n')[0] ?? '';
      throw new ExopoolError('EXOPOOL_INPUT', `${source} is not sound ${program}: ${why}`);
    }
  } finally {
    child.kill();
    await fed;
  }
}
