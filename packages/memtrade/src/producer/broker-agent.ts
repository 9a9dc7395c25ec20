/**
 * The producer's side of the broker's protocol: registers, then reports once a second. Leases go on while the broker is
 * away. The agent retries with exponential backoff and jitter, also when the broker was away at the start.
 */
import { toExopoolError } from '@exopool/shared';
import type { BrokerClient } from '../protocol/broker-client.js';

export interface AgentReport {
  readonly offeredSlabs: number;
  readonly harvestedBytes: number;
  readonly cpuLoad: number;
}

export interface AgentOptions {
  /** Connects and logs in. */
  connect(): Promise<BrokerClient>;
  /** HOST:PORT at which consumers reach the slab server. */
  readonly endpoint: string;
  readonly slabBytes: number;
  /** Called for every report. */
  report(): AgentReport;
  /** Called after each report with the key that signs tickets. */
  onBroker(brokerKey: Buffer): void;
  /** Called with leases that consumers gave back. */
  onReleased(leaseIds: readonly Buffer[]): void;
}

export type BrokerState = 'connected' | 'away';

/** The broker stops placing leases on a producer that is silent for five intervals. */
const reportIntervalMs = 1000;
/** The longest pause before a retry. */
const retryMsMax = 15_000;
/** Errors that a retry may cure. Any other is a mistake, and the operator must see it at once. */
const passingCodes = new Set(['EXOPOOL_UNAVAILABLE', 'EXOPOOL_TIMEOUT']);

export class BrokerAgent {
  readonly #options: AgentOptions;
  #client: BrokerClient | undefined;
  #state: BrokerState = 'away';
  #reason: string | undefined;
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  #isClosed = false;

  /**
   * Connects, registers and makes the first report. Retries in the background when the broker is away.
   * @throws ExopoolError when the broker refuses.
   */
  static async start(options: AgentOptions): Promise<BrokerAgent> {
    const agent = new BrokerAgent(options);
    try {
      await agent.#meet();
    } catch (thrown) {
      const error = toExopoolError(thrown);
      if (!passingCodes.has(error.code)) {
        agent.close();
        throw error;
      }
      agent.#lost(error.message);
    }
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
    this.#client?.close();
  }

  #schedule(): void {
    if (this.#isClosed) return;
    const pause = pauseMs(this.#failures, Math.random());
    this.#timer = setTimeout(() => void this.#turn().finally(() => this.#schedule()), pause);
  }

  async #turn(): Promise<void> {
    try {
      if (this.#client === undefined) await this.#meet();
      else await this.#reportAgain(this.#client);
      this.#found();
    } catch (error) {
      this.#lost(toExopoolError(error).message);
    }
  }

  async #meet(): Promise<void> {
    const client = await this.#options.connect();
    if (this.#isClosed) {
      client.close();
      return;
    }
    // From here on `close` closes the client.
    this.#client = client;
    try {
      await this.#register(client);
      await this.#report(client);
    } catch (error) {
      client.close();
      this.#client = undefined;
      throw error;
    }
    this.#found();
  }

  #found(): void {
    this.#state = 'connected';
    this.#reason = undefined;
    this.#failures = 0;
  }

  #lost(reason: string): void {
    this.#state = 'away';
    this.#reason = reason;
    this.#failures += 1;
  }

  #register(client: BrokerClient): Promise<void> {
    const { endpoint, slabBytes } = this.#options;
    return client.registerProducer({ endpoint, slabBytes });
  }

  async #reportAgain(client: BrokerClient): Promise<void> {
    try {
      await this.#report(client);
    } catch (error) {
      // A broker with a new database does not know this producer.
      if (toExopoolError(error).code !== 'EXOPOOL_NOT_FOUND') throw error;
      await this.#register(client);
      await this.#report(client);
    }
  }

  async #report(client: BrokerClient): Promise<void> {
    const { released } = await client.reportUsage(this.#options.report());
    // Another broker, with another key, may answer now.
    this.#options.onBroker(client.brokerKey);
    if (released.length > 0) this.#options.onReleased(released);
  }
}

/**
 * The time until the next report: a second, or after failures an exponential backoff with jitter, so that producers do
 * not all come back at once after an outage.
 * @param random 0..1.
 */
export function pauseMs(failures: number, random: number): number {
  if (failures === 0) return reportIntervalMs;
  return Math.min(retryMsMax, reportIntervalMs * 2 ** (failures - 1)) * (0.5 + random / 2);
}
