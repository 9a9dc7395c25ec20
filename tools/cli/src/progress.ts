/** Shows the progress of a long job on standard error: a bar on a terminal, else a line every few seconds. */
import { SingleBar } from 'cli-progress';
import { formatBytes, formatCount } from '@exopool/shared';

const barIntervalMs = 100;
/** Rare enough not to flood a log. */
const lineIntervalMs = 5000;

export interface ProgressState {
  readonly entries: number;
  readonly bytes: number;
  /** The part that is done, 0..1; undefined when the size of the job is unknown. */
  readonly share: number | undefined;
  /** "reading" or "writing". */
  readonly phase: string;
}

export class Progress {
  readonly #output: NodeJS.WriteStream;
  readonly #startMs = performance.now();
  readonly #bar: SingleBar | undefined;
  #lastMs: number;

  constructor(output: NodeJS.WriteStream = process.stderr) {
    this.#output = output;
    this.#lastMs = this.#startMs;
    if (!output.isTTY) return;
    const format = '{phase} {bar} {percentage} % | {entries} entries | {rate}/s';
    this.#bar = new SingleBar({ format, stream: output, hideCursor: true, clearOnComplete: true });
    this.#bar.start(1, 0, { phase: 'reading', entries: '0', rate: '0 B' });
  }

  /** Draws at intervals, however often it is called. */
  update({ entries, bytes, share, phase }: ProgressState): void {
    const now = performance.now();
    if (now - this.#lastMs < (this.#bar ? barIntervalMs : lineIntervalMs)) return;
    this.#lastMs = now;
    const rate = formatBytes(bytes / ((now - this.#startMs) / 1000));
    if (this.#bar) {
      this.#bar.update(share ?? 0, { phase, entries: formatCount(entries), rate });
    } else {
      const percent = share === undefined ? '' : `${(share * 100).toFixed(0)} %, `;
      this.#output.write(`exopool: ${phase}: ${percent}${formatCount(entries)} entries, ${rate}/s\n`);
    }
  }

  stop(): void {
    this.#bar?.stop();
  }
}
