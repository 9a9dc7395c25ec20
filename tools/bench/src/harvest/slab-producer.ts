/** A slab server in its own process, as in a producer. */
import { fileURLToPath } from 'node:url';
import type { SlabSessionOptions } from '@exopool/native/internal';
import { CagedProcess } from '../machine/caged-process.js';
import { newParties, sessionOptions, slabBytes } from './lease.js';
import type { SlabServerAnswer, SlabServerArgument } from './slab-server-main.js';

const slabServerMain = fileURLToPath(new URL('slab-server-main.js', import.meta.url));

export class SlabProducer {
  readonly #parties = newParties();
  readonly #child: CagedProcess;
  #port = 0;

  private constructor(slabs: number, signal: AbortSignal) {
    const { producer, broker } = this.#parties;
    const argument: SlabServerArgument = {
      seed: producer.seed.toString('hex'),
      brokerKey: broker.publicKey.toString('hex'),
      slabBytes,
      slabs,
    };
    const process = { cage: undefined, module: slabServerMain, argument, nodeOptions: [], env: {}, signal };
    this.#child = new CagedProcess(process);
  }

  static async start(slabs: number, signal: AbortSignal): Promise<SlabProducer> {
    const producer = new SlabProducer(slabs, signal);
    try {
      ({ port: producer.#port } = await producer.#ask());
      return producer;
    } catch (error) {
      await producer.close();
      throw error;
    }
  }

  /** Options of a session with a lease of `slabs` slabs of 64 MiB. */
  sessionOptions(slabs: number): SlabSessionOptions {
    return sessionOptions(this.#parties, this.#port, slabs);
  }

  /** CPU time of the whole process since its start. */
  async cpuSeconds(): Promise<number> {
    return (await this.#ask()).cpuSeconds;
  }

  /** Kills it at once. Its data is lost. */
  close(): Promise<void> {
    return this.#child.close();
  }

  async #ask(): Promise<SlabServerAnswer> {
    return (await this.#child.ask({})) as SlabServerAnswer;
  }
}
