/**
 * Separates the stream of one guest port into the command's output, byte for byte, and the marks of the supervisor.
 *
 *   TOKEN "start\n"   ... the command's bytes ...   TOKEN "exit 3\n"
 *
 * The token is random for each guest, so no output contains it by chance. Only bytes that may be the beginning of a
 * token are held back.
 */
export interface GuestStreamEvents {
  data(bytes: Buffer): void;
  /** A mark: the line after a token, without its line feed. */
  mark(line: string): void;
}

const newline = 0x0a;
/** A mark is a word and a number. A longer line is not a mark. */
const markBytesMax = 64;

export class GuestStream {
  #held = Buffer.alloc(0);
  readonly #token: Buffer;
  readonly #events: GuestStreamEvents;

  constructor(token: string, events: GuestStreamEvents) {
    this.#token = Buffer.from(token, 'latin1');
    this.#events = events;
  }

  push(chunk: Buffer): void {
    this.#held = Buffer.concat([this.#held, chunk]);
    for (;;) {
      const at = this.#held.indexOf(this.#token);
      if (at < 0) {
        this.#emit(this.#held.length - this.#heldBack());
        return;
      }
      this.#emit(at);
      const end = this.#held.indexOf(newline, this.#token.length);
      if (end < 0 && this.#held.length < this.#token.length + markBytesMax) return;
      const stop = end < 0 ? this.#held.length : end;
      this.#events.mark(this.#held.toString('latin1', this.#token.length, stop));
      this.#held = this.#held.subarray(stop + 1);
    }
  }

  /** The guest has ended, so the held bytes are output. */
  end(): void {
    this.#emit(this.#held.length);
  }

  #emit(bytes: number): void {
    if (bytes === 0) return;
    this.#events.data(this.#held.subarray(0, bytes));
    this.#held = this.#held.subarray(bytes);
  }

  /** Length of the longest suffix of the held bytes that is a prefix of the token. */
  #heldBack(): number {
    const longest = Math.min(this.#held.length, this.#token.length - 1);
    for (let length = longest; length > 0; length -= 1) {
      const end = this.#held.subarray(this.#held.length - length);
      if (end.equals(this.#token.subarray(0, length))) return length;
    }
    return 0;
  }
}
