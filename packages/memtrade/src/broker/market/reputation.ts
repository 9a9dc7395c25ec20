/**
 * What consumers say of producers: whose values were not what had been stored.
 *
 * A complaint is one consumer's word, and anybody can be a consumer. So whoever complains is spared the producer, and
 * others get it last only when several complain; none is shut out. Not stored: after a restart of the broker consumers
 * complain again, if there is reason to.
 */

/** Complaints of fewer consumers do not move a producer: one may lie, or have bad memory itself. */
export const complainersMin = 3;
/** Of one producer; the oldest is forgotten. */
export const complainersMax = 1000;

export class Reputation {
  readonly #complainers = new Map<string, Set<string>>();

  complain(consumer: string, producer: string): void {
    const complainers = this.#complainers.get(producer) ?? new Set();
    this.#complainers.set(producer, complainers);
    complainers.delete(consumer);
    complainers.add(consumer);
    if (complainers.size > complainersMax) complainers.delete(complainers.values().next().value!);
  }

  /** The producer is not known any more. */
  forget(producer: string): void {
    this.#complainers.delete(producer);
  }

  /** Whether the consumer wants nothing more of the producer. */
  isAvoided(consumer: string, producer: string): boolean {
    return this.#complainers.get(producer)?.has(consumer) ?? false;
  }

  isDoubtful(producer: string): boolean {
    return (this.#complainers.get(producer)?.size ?? 0) >= complainersMin;
  }
}
