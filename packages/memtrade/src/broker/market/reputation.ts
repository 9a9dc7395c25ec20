/**
 * Complaints of consumers about producers that changed values.
 *
 * Anybody can be a consumer, so one complaint proves nothing. The producer is never placed with that consumer again. When
 * several consumers complain, others get it last, but it is never excluded. Complaints are not stored: after a restart
 * of the broker consumers complain again, if they have a reason.
 */

/** Complaints of fewer consumers have no effect on others: one may lie, or have faulty memory itself. */
export const complainersMin = 3;
/** Complaints about one producer; the oldest is dropped. */
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

  /** Drops all complaints about a producer that was removed. */
  forget(producer: string): void {
    this.#complainers.delete(producer);
  }

  /** Whether the consumer complained about the producer. */
  isAvoided(consumer: string, producer: string): boolean {
    return this.#complainers.get(producer)?.has(consumer) ?? false;
  }

  isDoubtful(producer: string): boolean {
    return (this.#complainers.get(producer)?.size ?? 0) >= complainersMin;
  }
}
