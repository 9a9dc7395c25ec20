/** Shows progress: a block that is redrawn on a terminal, or a line every two seconds elsewhere. */
import { createLogUpdate } from 'log-update';
import { formatBytes, formatCount } from '@exopool/shared';
import { dollars, micros } from './closing-table.js';
import type { ConsumerFigures, RedisFigures } from './messages.js';
import { share, tiers } from './statistics.js';

const drawIntervalMs = 250;
const lineIntervalMs = 2000;

/** Everything that the view can show. Figures that do not exist yet are left out. */
export interface LiveState {
  phase: string;
  /** A remark that a reader of the figures should know. */
  note?: string | undefined;
  consumer?: () => ConsumerFigures | undefined;
  redis?: () => RedisFigures | undefined;
  harvestedBytes?: () => number | undefined;
}

export class LiveView {
  readonly #state: LiveState;
  readonly #output: NodeJS.WriteStream;
  readonly #startMs = performance.now();
  readonly #draw: ReturnType<typeof createLogUpdate> | undefined;
  readonly #timer: NodeJS.Timeout;

  /** @param headless never redraws, even on a terminal. */
  constructor(state: LiveState, headless: boolean, output: NodeJS.WriteStream = process.stderr) {
    this.#state = state;
    this.#output = output;
    this.#draw = output.isTTY && !headless ? createLogUpdate(output) : undefined;
    this.#timer = setInterval(() => this.#show(), this.#draw ? drawIntervalMs : lineIntervalMs);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#draw?.clear();
    this.#draw?.done();
  }

  #show(): void {
    const seconds = (performance.now() - this.#startMs) / 1000;
    const lines = describeState(this.#state, seconds);
    if (this.#draw) this.#draw(lines.join('\n'));
    else this.#output.write(`exopool demo: ${lines.map((line) => line.replace(/ {2,}/g, ' ')).join('; ')}\n`);
  }
}

/** The lines for one update. */
export function describeState(state: LiveState, seconds: number): string[] {
  const lines = [`${state.phase} (${seconds.toFixed(0)} s)`];
  const consumer = state.consumer?.();
  const redis = state.redis?.();
  const harvestedBytes = state.harvestedBytes?.();
  if (state.note !== undefined) lines.push(state.note);
  if (consumer) {
    const { recent } = consumer;
    const parts = tiers.map((tier) => {
      const percent = (share(recent[tier].count, recent.all.count) * 100).toFixed(0);
      return `${tier} ${percent} % (p50 ${micros(recent[tier].p50Us)}, p99 ${micros(recent[tier].p99Us)} µs)`;
    });
    lines.push(`reads      ${formatCount(consumer.readsPerSecond)}/s: ${parts.join(', ')}`);
    lines.push(
      `leases     ${consumer.leases}, ${formatBytes(consumer.leasedBytes)} at ` +
        `${consumer.price.toFixed(4)} $/GiB·h, paid ${dollars(consumer.charged)}`,
    );
  }
  if (harvestedBytes !== undefined) lines.push(`harvested  ${formatBytes(harvestedBytes)}`);
  if (redis) {
    const { recent, usedBytes } = redis;
    lines.push(
      `redis      ${formatBytes(usedBytes)}, p50 ${micros(recent.p50Us)}, p99 ${micros(recent.p99Us)} µs`,
    );
  }
  return lines;
}
