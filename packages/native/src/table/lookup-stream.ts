/**
 * Lookups by other threads, answered key by key.
 *
 * Keys of the same turn cross into native code together, but each promise settles as soon as its own key is found. A
 * few reads of a device take ten times as long as the others. Only their own keys wait for those.
 *
 * A token names a key in flight: it is the key's place in the list of waiting calls.
 */
import { streamAnswersMax, streamWord, valueLength } from '../contracts.js';
import { tableError, tableBinding, type TableFailure } from './table-binding.js';

interface Waiting {
  readonly resolve: (value: Buffer | undefined) => void;
  readonly reject: (error: unknown) => void;
}

const waiting: (Waiting | undefined)[] = [];
const freeTokens: number[] = [];
/** The addon writes token and length of each answer here. */
const words = new Int32Array(streamWord.words * streamAnswersMax);
let stream: object | undefined;

/** The channel of this thread. All stores of the thread get their answers from it. */
export function lookupStream(): object {
  stream ??= tableBinding().openLookupStream(receive, words);
  return stream;
}

/** The token that the next call of {@link awaitAnswer} uses. */
export function nextToken(): number {
  if (freeTokens.length === 0) freeTokens.push(waiting.length);
  return freeTokens.at(-1)!;
}

/** Settles with the answer for {@link nextToken}. The addon must have been asked before. */
export function awaitAnswer(): Promise<Buffer | undefined> {
  return new Promise((resolve, reject) => {
    waiting[freeTokens.pop()!] = { resolve, reject };
  });
}

/** Takes a delivery of answers: see addon/door/lookup_stream.hh. */
function receive(count: number, values?: Buffer, failures?: readonly TableFailure[]): void {
  let valueAt = 0;
  let failure = 0;
  for (let index = 0; index < count; index += 1) {
    const answer = streamWord.words * index;
    const token = words[answer + streamWord.token]!;
    const length = words[answer + streamWord.length]!;
    const { resolve, reject } = waiting[token]!;
    waiting[token] = undefined;
    freeTokens.push(token);
    if (length === valueLength.failed) reject(tableError('', failures![failure++]!));
    else if (length < 0) resolve(undefined);
    else resolve(length === 0 ? Buffer.alloc(0) : values!.subarray(valueAt, (valueAt += length)));
  }
}
