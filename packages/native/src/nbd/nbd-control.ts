/**
 * The control channel of nbdkit's plugin: lines of text over a socket, drawn in nbd/control_channel.hh. An answer
 * carries the session number of its question. Each session has at most one question in flight.
 */
import type { Duplex } from 'node:stream';
import { ExopoolError } from '@exopool/shared';

/** The longest line is `stats`, with about 500 bytes. */
const lineBytesMax = 4096;

/** The words of a line. */
export type ControlWords = readonly string[];

/** Called with a notice about a session. A session gets `ended` also when the channel ends. */
export type OnNotice = (verb: string, words: ControlWords) => void;

const notices = new Set(['ended', 'gone']);

/**
 * Our end of the channel.
 * @example
 * ```ts
 * const control = new NbdControl(socket);
 * control.say('stats');
 * console.log(await control.next('stats'));
 * control.close();
 * ```
 */
export class NbdControl {
  readonly #stream: Duplex;
  readonly #waiting = new Map<string, ((words: ControlWords | undefined) => void)[]>();
  readonly #listeners = new Map<string, OnNotice>();
  #input = '';
  #ended = false;

  constructor(stream: Duplex) {
    this.#stream = stream;
    stream.setEncoding('latin1');
    stream.on('data', (text: string) => this.#onText(text));
    stream.on('error', () => this.#end());
    stream.on('close', () => this.#end());
    stream.on('end', () => this.#end());
  }

  /** Sets the listener for a session's notices; `undefined` removes it. */
  listen(session: string, listener: OnNotice | undefined): void {
    if (listener === undefined) this.#listeners.delete(session);
    else this.#listeners.set(session, listener);
  }

  /**
   * The next line of the plugin about `subject`: a session's number, or the verb of a line without one.
   * @throws ExopoolError `EXOPOOL_CLOSED` when the channel has ended.
   */
  async next(subject: string): Promise<ControlWords> {
    const words = await new Promise<ControlWords | undefined>((resolve) => {
      if (this.#ended) resolve(undefined);
      const queue = this.#waiting.get(subject);
      if (queue === undefined) this.#waiting.set(subject, [resolve]);
      else queue.push(resolve);
    });
    if (words === undefined)
      throw new ExopoolError(
        'EXOPOOL_CLOSED',
        'the process of the block device has ended; start another one',
      );
    return words;
  }

  /** Sends a line. Does nothing when the channel has ended. */
  say(...words: (string | number)[]): void {
    if (!this.#ended) this.#stream.write(`${words.join(' ')}\n`);
  }

  /** Closes the channel. The plugin takes that as the end of this process. */
  close(): void {
    this.#stream.destroy();
  }

  #onText(text: string): void {
    this.#input += text;
    const lines = this.#input.split('\n');
    this.#input = lines.pop() ?? '';
    for (const line of lines) this.#onLine(line.split(' '));
    if (this.#input.length > lineBytesMax) this.close();
  }

  #onLine(words: ControlWords): void {
    const [verb = '', subject = ''] = words;
    if (notices.has(verb)) return this.#listeners.get(subject)?.(verb, words.slice(2));
    const name = verb === 'ready' || verb === 'stats' ? verb : subject;
    const queue = this.#waiting.get(name);
    const resolve = queue?.shift();
    if (queue?.length === 0) this.#waiting.delete(name);
    resolve?.(words);
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    const waiting = [...this.#waiting.values()].flat();
    this.#waiting.clear();
    for (const resolve of waiting) resolve(undefined);
    for (const listener of [...this.#listeners.values()]) listener('ended', ['0']);
  }
}
