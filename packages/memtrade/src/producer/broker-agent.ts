/**
 * Talks to the broker: registers, then reports once a second. The leases go on while the broker is away; it is looked
 * for again and again, with growing pauses.
 */
import { toExopoolError } from '@exopool/shared';
import type { BrokerClient } from '../broker/broker-client.js';

export interface AgentReport {
  readonly offeredSlabs: number;
  readonly harvestedBytes: number;
  readonly cpuLoad: number;
}

export interface AgentOptions {
  readonly client: BrokerClient;
  /** HOST:PORT that consumers reach the slab server by. */
  readonly endpoint: string;
  readonly slabBytes: number;
  /** Asked for every report. */
  report(): AgentReport;
  /** Leases that were given back to the broker. */
  onReleased(leaseIds: readonly Buffer[]): void;
}

export type BrokerState = 'connected' | 'away';

/** The broker takes a producer that is silent for five of these for gone. */
const reportIntervalMs = 1000;
/** Pauses while the broker is away double up to this. */
const retryMsMax = 15_000;

export class BrokerAgent {
  readonly #options: AgentOptions;
  #state: BrokerState = 'connected';
  #reason: string | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /** Registers and makes the first report. @throws ExopoolError what the broker says to that. */
  static async start(options: AgentOptions): Promise<BrokerAgent> {
    const agent = new BrokerAgent(options);
    await agent.#register();
    await agent.#report();
    agent.#schedule();
    return agent;
  }

  private constructor(options: AgentOptions) {
    this.#options = options;
  }

  get state(): BrokerState {
    return this.#state;
  }

  /** Why the broker is away. */
  get reason(): string | undefined {
    return this.#reason;
  }

  close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    this.#options.client.close();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    const pauseMs = Math.min(retryMsMax, reportIntervalMs * 2 ** Math.max(0, this.#failures - 1));
    this.#timer = setTimeout(() => void this.#turn().finally(() => this.#schedule()), pauseMs);
  }

  async #turn(): Promise<void> {
    try {
      await this.#report();
      this.#state = 'connected';
      this.#reason = undefined;
      this.#failures = 0;
    } catch (thrown) {
      const error = toExopoolError(thrown);
      // A broker with a new database does not know us.
      if (error.code === 'EXOPOOL_NOT_FOUND' && (await this.#tryRegister())) return;
      this.#state = 'away';
      this.#reason = error.message;
      this.#failures += 1;
    }
  }

  async #tryRegister(): Promise<boolean> {
    return this.#register().then(
      () => true,
      () => false,
    );
  }

  #register(): Promise<void> {
    const { client, endpoint, slabBytes } = this.#options;
    return client.registerProducer({ endpoint, slabBytes });
  }

  async #report(): Promise<void> {
    const { released } = await this.#options.client.reportUsage(this.#options.report());
    if (released.length > 0) this.#options.onReleased(released);
  }
}
