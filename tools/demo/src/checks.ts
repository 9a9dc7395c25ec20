/** The checks of a run. Each fails if a part of the stack is broken. */
import type { ConsumerFigures } from './messages.js';
import type { Check } from './result.js';
import { tiers } from './statistics.js';

export interface CheckFacts {
  readonly consumer: ConsumerFigures;
  /** Reason why the engines could not be compared; `undefined` if they were. */
  readonly bpfUnavailable: string | undefined;
}

export function makeChecks(facts: CheckFacts): Record<string, Check> {
  const { consumer } = facts;
  const { latency } = consumer.disks.own.with;
  const byTier = tiers.map((tier) => [`reads_${tier}`, latency[tier].count > 0] as const);
  return {
    ...Object.fromEntries(byTier),
    values_correct: consumer.valuesChecked > 0 && consumer.valuesWrong === 0,
    engines_equal: enginesEqual(facts),
    leases_granted: consumer.leases > 0,
    price_paid: consumer.charged > 0,
  };
}

/** The engines agree on present and on absent keys, and the engine served some reads of the workload. */
function enginesEqual({ consumer, bpfUnavailable }: CheckFacts): Check {
  if (bpfUnavailable !== undefined) return { skipped: bpfUnavailable };
  const { comparison, lookups } = consumer;
  if (comparison === undefined) return false;
  const { differences, present, keys, engine } = comparison;
  return differences === 0 && present > 0 && present < keys && (lookups[engine] ?? 0) > 0;
}
