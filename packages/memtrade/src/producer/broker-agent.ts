/**
 * Talks to the broker: registers, then reports once a second. The leases go on while the broker is away; it is looked
 * for again and again, with growing pauses. A producer may start while it is away, and joins when it comes.
 */
import { toExopoolError } from '@exopool/shared';
import type { BrokerClient } from '../broker/broker-client.js';

export interface AgentReport {
  readonly offeredSlabs: number;
  readonly harvestedBytes: number;
  readonly cpuLoad: number;
}

export interface AgentOptions {
  /** Connects and logs in. */
  connect(): Promise<BrokerClient>;
  /** HOST:PORT that consumers reach the slab server by. */
  readonly endpoint: string;
  readonly slabBytes: number;
  /** Asked for every report. */
  report(): AgentReport;
  /** After each login: the key that signs tickets. */
  onBroker(brokerKey: Buffer): void;
  /** Leases that were given back to the broker. */
  onReleased(leaseIds: readonly Buffer[]): void;
}

export type BrokerState = 'connected' | 'away';

/** The broker takes a producer that is silent for five of these for gone. */
const reportIntervalMs = 1000;
/** Pauses while the broker is away double up to this. */
const retryMsMax = 15_000;
/** What time may heal; anything else is a mistake that the operator wants to hear of at once. */
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
   * Connects, registers and makes the first report; or goes on looking for a broker that is away.
   * @throws ExopoolError what the broker says to that.
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
    const pauseMs = Math.min(retryMsMax, reportIntervalMs * 2 ** Math.max(0, this.#failures - 1));
    this.#timer = setTimeout(() => void this.#turn().finally(() => this.#schedule()), pauseMs);
  }

  async #turn(): Promise<void> {
    try {
      if (this.#client === undefined) await this.#meet();
      else await this.#report(this.#client);
      this.#found();
    } catch (thrown) {
      const error = toExopoolError(thrown);
      // A broker with a new database does not know us.
      const isForgotten = error.code === 'EXOPOOL_NOT_FOUND' && this.#client !== undefined;
      if (isForgotten && (await this.#tryRegister(this.#client!))) return;
      this.#lost(error.message);
    }
  }

  async #meet(): Promise<void> {
    const client = await this.#options.connect();
    if (this.#isClosed) {
      client.close();
      return;
    }
    try {
      await this.#register(client);
      await this.#report(client);
    } catch (error) {
      client.close();
      throw error;
    }
    this.#client = client;
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

  async #tryRegister(client: BrokerClient): Promise<boolean> {
    return this.#register(client).then(
      () => true,
      () => false,
    );
  }

  #register(client: BrokerClient): Promise<void> {
    const { endpoint, slabBytes } = this.#options;
    return client.registerProducer({ endpoint, slabBytes });
  }

  async #report(client: BrokerClient): Promise<void> {
    const { released } = await client.reportUsage(this.#options.report());
    // It may be another broker, with another key, that answers now.
    this.#options.onBroker(client.brokerKey);
    if (released.length > 0) this.#options.onReleased(released);
  }
}
