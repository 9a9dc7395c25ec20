/** How a test says what it needs: in its options when that is known before, by `skipWithout` when it finds out. */
import type { TestContext } from 'vitest';
import type { Feature } from './features.js';

/** What a skipped test lacked. */
export interface Lack {
  readonly feature: Feature;
  readonly reason: string;
}

declare module 'vitest' {
  interface TaskMeta {
    lack?: Lack;
  }
}

/**
 * Options for `it` and `describe`.
 *
 * @param reason why the machine lacks the feature; undefined: it has it.
 * @example it('answers redis-cli', needs('redis', whyNoRedis()), () => …)
 */
export function needs(
  feature: Feature,
  reason: string | undefined,
): { skip: boolean; meta: { lack?: Lack } } {
  return reason === undefined
    ? { skip: false, meta: {} }
    : { skip: true, meta: { lack: { feature, reason } } };
}

/** Ends the running test as skipped when there is a reason. */
export function skipWithout(context: TestContext, feature: Feature, reason: string): never;
export function skipWithout(context: TestContext, feature: Feature, reason: string | undefined): void;
export function skipWithout(context: TestContext, feature: Feature, reason: string | undefined): void {
  if (reason === undefined) return;
  context.task.meta.lack = { feature, reason };
  context.skip(reason);
}
