/**
 * Packs entries into batches for native code: one crossing for thousands of entries. `log-format.ts` has the layout.
 */
import { entryPut } from '@exopool/native/contracts';
import { copyKey, copyValue, type Bytes } from '../format/row-key.js';
import { operationHeaderBytes } from './log-format.js';
import { EXO_KEY_MAX } from '../format/format.js';

/** Bytes of a batch at most: enough to make the crossing cheap, few enough to stay in the processor's cache. */
const batchBytesMax = 256 * 1024;
/** UTF-8 bytes of one UTF-16 unit at most. */
const utf8BytesMax = 3;

/** Encodes entries one by one, and passes full batches on. */
export class EntryEncoder {
  readonly #batch: Buffer;
  #end = 0;
  #bytes = 0;

  /**
   * @param memoryBytes memory of the receiver; a batch takes at most a sixteenth of it
   * @param take receives each full batch; the buffer is valid until `take` returns
   */
  constructor(
    memoryBytes: number,
    private readonly take: (batch: Buffer) => void,
  ) {
    this.#batch = Buffer.allocUnsafeSlow(Math.min(batchBytesMax, memoryBytes >> 4));
  }

  /** Bytes of keys and values so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @throws ExopoolError `EXOPOOL_INVALID` for an invalid key or value, and whatever `take` throws. */
  add(key: Bytes, value: Bytes): void {
    const most = operationHeaderBytes + bytesAtMost(key) + bytesAtMost(value);
    // The slow way handles everything that is not plainly a short key with a value that fits.
    if (!(bytesAtMost(key) <= EXO_KEY_MAX && key.length > 0 && most <= this.#batch.length)) {
      this.#addAlone(copyKey(key), copyValue(value));
      return;
    }
    if (this.#end + most > this.#batch.length) this.flush();
    const keyAt = this.#end + operationHeaderBytes;
    const keyLength = this.#write(key, keyAt);
    const valueLength = this.#write(value, keyAt + keyLength);
    this.#header(keyLength, valueLength);
    this.#end = keyAt + keyLength + valueLength;
  }

  /** Passes the gathered entries on. */
  flush(): void {
    if (this.#end > 0) this.take(this.#batch.subarray(0, this.#end));
    this.#end = 0;
  }

  #addAlone(key: Buffer, value: Buffer): void {
    this.flush();
    this.#header(key.length, value.length);
    this.take(Buffer.concat([this.#batch.subarray(0, operationHeaderBytes), key, value]));
  }

  #header(keyLength: number, valueLength: number): void {
    const batch = this.#batch;
    const at = this.#end;
    batch[at] = entryPut;
    batch[at + 1] = 0;
    batch[at + 2] = keyLength;
    batch[at + 3] = keyLength >>> 8;
    batch[at + 4] = valueLength;
    batch[at + 5] = valueLength >>> 8;
    batch[at + 6] = valueLength >>> 16;
    batch[at + 7] = valueLength >>> 24;
    this.#bytes += keyLength + valueLength;
  }

  #write(bytes: Bytes, at: number): number {
    if (typeof bytes === 'string') return this.#batch.write(bytes, at);
    this.#batch.set(bytes, at);
    return bytes.length;
  }
}

/** NaN if it is neither bytes nor a string. */
function bytesAtMost(bytes: Bytes): number {
  if (typeof bytes === 'string') return bytes.length * utf8BytesMax;
  return bytes instanceof Uint8Array ? bytes.length : NaN;
}
