/**
 * Replies as values, and their bytes in both versions of the protocol.
 *
 *   Buffer, string   bulk string (a string has one byte per character)        number, bigint   integer
 *   null             nothing                                                  array            array
 *   Status           "+OK"                                                    Pairs            map; in RESP2 a flat array
 *   ReplyError       "-ERR ..."                                               Verbatim         text; in RESP2 a bulk string
 */

export type Protocol = 2 | 3;

export type Reply =
  Buffer | string | number | bigint | null | Status | ReplyError | Pairs | Verbatim | readonly Reply[];

export class Status {
  constructor(readonly text: string) {}
}

export class Pairs {
  constructor(readonly pairs: readonly (readonly [Reply, Reply])[]) {}
}

export class Verbatim {
  constructor(readonly text: string) {}
}

/** An error reply to the client. Commands throw it. The text begins with the error's code. */
export class ReplyError extends Error {}

export const ok = new Status('OK');

/** Many replies share a chunk, and so do all writes that fit into it. */
const chunkBytes = 32 * 1024;
/** Longer values are passed on instead of copied. */
const copiedBytesMax = 4 * 1024;

/** Collects replies in a few buffers. */
export class ReplyWriter {
  #chunk = Buffer.allocUnsafe(chunkBytes);
  #from = 0;
  #used = 0;
  #ready: Buffer[] = [];
  #bytes = 0;

  /** Bytes written since the last `take`. */
  get bytes(): number {
    return this.#bytes + this.#used - this.#from;
  }

  /** Everything written since the last call. */
  take(): Buffer[] {
    this.#cut();
    const ready = this.#ready;
    this.#ready = [];
    this.#bytes = 0;
    return ready;
  }

  write(reply: Reply, protocol: Protocol): void {
    if (typeof reply === 'string') this.#bulk(Buffer.from(reply, 'latin1'));
    else if (Buffer.isBuffer(reply)) this.#bulk(reply);
    else if (reply instanceof Status) this.#text(`+${reply.text}\r\n`);
    else if (typeof reply === 'number' || typeof reply === 'bigint') this.#text(`:${String(reply)}\r\n`);
    else if (reply === null) this.#text(protocol === 3 ? '_\r\n' : '$-1\r\n');
    else if (reply instanceof ReplyError) this.#text(`-${reply.message.replace(/[\r\n]/g, ' ')}\r\n`);
    else if (reply instanceof Verbatim) this.#verbatim(reply, protocol);
    else if (reply instanceof Pairs) this.#pairs(reply, protocol);
    else this.#array(reply, protocol);
  }

  #array(items: readonly Reply[], protocol: Protocol): void {
    this.#text(`*${items.length}\r\n`);
    for (const item of items) this.write(item, protocol);
  }

  #pairs({ pairs }: Pairs, protocol: Protocol): void {
    this.#text(protocol === 3 ? `%${pairs.length}\r\n` : `*${pairs.length * 2}\r\n`);
    for (const pair of pairs) for (const item of pair) this.write(item, protocol);
  }

  #verbatim({ text }: Verbatim, protocol: Protocol): void {
    const bytes = Buffer.from(text);
    if (protocol === 2) {
      this.#bulk(bytes);
      return;
    }
    this.#text(`=${bytes.length + 4}\r\ntxt:`);
    this.#raw(bytes);
    this.#text('\r\n');
  }

  #bulk(bytes: Buffer): void {
    this.#text(`$${bytes.length}\r\n`);
    this.#raw(bytes);
    this.#text('\r\n');
  }

  #raw(bytes: Buffer): void {
    if (bytes.length > copiedBytesMax) {
      this.#cut();
      this.#ready.push(bytes);
      this.#bytes += bytes.length;
      return;
    }
    this.#reserve(bytes.length);
    this.#used += bytes.copy(this.#chunk, this.#used);
  }

  #text(text: string): void {
    if (text.length > copiedBytesMax) {
      this.#raw(Buffer.from(text, 'latin1'));
      return;
    }
    this.#reserve(text.length);
    this.#used += this.#chunk.write(text, this.#used, 'latin1');
  }

  #reserve(bytes: number): void {
    if (this.#used + bytes <= chunkBytes) return;
    this.#cut();
    this.#chunk = Buffer.allocUnsafe(chunkBytes);
    this.#from = 0;
    this.#used = 0;
  }

  #cut(): void {
    if (this.#from < this.#used) this.#ready.push(this.#chunk.subarray(this.#from, this.#used));
    this.#bytes += this.#used - this.#from;
    this.#from = this.#used;
  }
}
