/**
 * Takes apart what a guest sends over one of its ports: the command's output, byte for byte, with marks of the guest's
 * supervisor in between.
 *
 *   TOKEN "start\n"   ... the command's bytes ...   TOKEN "exit 3\n"
 *
 * The token is random for each guest, so no output can contain it by chance. Only bytes that may turn out to be the
 * beginning of a token are held back.
 */
export interface GuestStreamEvents {
  data(bytes: Buffer): void;
  /** A line after a token, without its end. */
  mark(line: string): void;
}

const newline = 0x0a;
/** A mark is a word and a number; a longer line is none of ours. */
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

  /** The guest is gone: what was held back was output after all. */
  end(): void {
    this.#emit(this.#held.length);
  }

  #emit(bytes: number): void {
    if (bytes === 0) return;
    this.#events.data(this.#held.subarray(0, bytes));
    this.#held = this.#held.subarray(bytes);
  }

  /** Length of the longest end of the held bytes that a token begins with. */
  #heldBack(): number {
    const longest = Math.min(this.#held.length, this.#token.length - 1);
    for (let length = longest; length > 0; length -= 1) {
      const end = this.#held.subarray(this.#held.length - length);
      if (end.equals(this.#token.subarray(0, length))) return length;
    }
    return 0;
  }
}
