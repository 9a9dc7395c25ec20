/** A session of the block device with a producer, for a lease keeper. Its data does not pass through this process. */
import { lookup } from 'node:dns/promises';
import { ExopoolError, toExopoolError } from '@exopool/shared';
import type { NbdControl } from './nbd-control.js';
import { defaultSlabTimeoutMs } from '../slab/slab-client-port.js';
import type { SlabSessionOptions } from '../slab/slab-session-options.js';
import { connectError, lossReason, type LossReason } from '../slab/slab-outcome.js';

/**
 * A lease that the block device uses.
 * @example
 * ```ts
 * const session = await device.connect({ host, port, ticket, seed, producerKey });
 * session.onLost((reason) => console.log(reason));
 * await session.release();
 * ```
 */
export class NbdSession {
  readonly #control: NbdControl;
  readonly #name: string;
  readonly #onLost: ((reason: LossReason) => void)[] = [];
  #slabs = 0;
  #lost: LossReason | undefined;

  private constructor(control: NbdControl, name: string) {
    this.#control = control;
    this.#name = name;
  }

  /** Slabs of the lease. */
  get slabs(): number {
    return this.#slabs;
  }

  /**
   * Makes the device open a session. Throws as `SlabSession.connect` does.
   * @param name a number that no other session of this device has.
   */
  static async connect(control: NbdControl, name: string, options: SlabSessionOptions): Promise<NbdSession> {
    const { host, port, seed, producerKey, ticket, timeoutMs = defaultSlabTimeoutMs } = options;
    const where = `${host}:${port}`;
    const { address } = await lookup(host).catch((error: unknown) => {
      throw new ExopoolError('EXOPOOL_UNAVAILABLE', `cannot resolve the address of the producer ${where}`, {
        cause: toExopoolError(error),
      });
    });
    const secrets = [seed, producerKey, ticket].map((bytes) => bytes.toString('hex'));
    const session = new NbdSession(control, name);
    control.listen(name, (verb, [status]) => {
      if (verb === 'ended') session.#end(lossReason(Number(status)));
    });
    control.say('connect', name, address, port, ...secrets, timeoutMs);
    const [verb, , number] = await control.next(name);
    if (verb === 'opened') {
      session.#slabs = Number(number);
      return session;
    }
    control.listen(name, undefined);
    control.say('close', name);
    throw connectError(Number(number), where);
  }

  /**
   * Presents a later ticket of the same lease.
   * @throws ExopoolError `EXOPOOL_TICKET_INVALID` when the producer refuses it, or the session is lost.
   */
  async extend(ticket: Buffer): Promise<void> {
    this.#control.say('extend', this.#name, ticket.toString('hex'));
    const [, , good] = await this.#control.next(this.#name);
    if (good !== '1')
      throw new ExopoolError(
        'EXOPOOL_TICKET_INVALID',
        'the producer refused the extended ticket; lease again',
      );
  }

  /** Gives all slabs back, and closes. The backing file has their pages. Idempotent. */
  async release(): Promise<void> {
    this.#onLost.length = 0;
    this.#control.listen(this.#name, undefined);
    this.#control.say('release', this.#name);
    // A device that has ended holds no slabs any more.
    await this.#control.next(this.#name).catch(() => undefined);
    this.#control.say('close', this.#name);
  }

  /** Calls back once when the session is lost; soon when it is lost already. Never after `release`. */
  onLost(callback: (reason: LossReason) => void): void {
    if (this.#lost === undefined) this.#onLost.push(callback);
    else queueMicrotask(() => callback(this.#lost!));
  }

  #end(reason: LossReason): void {
    if (this.#lost !== undefined) return;
    this.#lost = reason;
    this.#control.listen(this.#name, undefined);
    this.#control.say('close', this.#name);
    for (const callback of this.#onLost.splice(0)) callback(reason);
  }
}
