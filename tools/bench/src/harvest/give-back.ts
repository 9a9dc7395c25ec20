/** Measures how fast leased memory is back: in an emergency, and after a grace period that no consumer uses. */
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@exopool/demo/random';
import { CagedProcess } from '../machine/caged-process.js';
import type { Row } from '../suite.js';
import type { GiveBackRequest } from './give-back-main.js';
import type { HarvestPlan } from './plan.js';

export interface GiveBackResult {
  /** Milliseconds in each round. */
  readonly emergencyMs: readonly number[];
  readonly graceMs: readonly number[];
}

/** Grace period of consumers in the rounds without an emergency. */
export const graceMs = 500;
/** The shortage begins at any moment between two checks of the manager. */
const delayMsMax = 50;
const giveBackMain = fileURLToPath(new URL('give-back-main.js', import.meta.url));

export async function giveBackRounds(
  { rounds, graceRounds, bytes }: HarvestPlan['giveBack'],
  signal: AbortSignal,
): Promise<GiveBackResult> {
  const producer = new CagedProcess({
    cage: undefined,
    module: giveBackMain,
    argument: {},
    nodeOptions: [],
    env: {},
    signal,
  });
  const random = seededRandom(1);
  const round = async (isEmergency: boolean): Promise<number> => {
    const request: GiveBackRequest = { bytes, isEmergency, graceMs, delayMs: random() * delayMsMax };
    return (await producer.ask(request)) as number;
  };
  try {
    const result = { emergencyMs: [] as number[], graceMs: [] as number[] };
    while (result.emergencyMs.length < rounds) result.emergencyMs.push(await round(true));
    while (result.graceMs.length < graceRounds) result.graceMs.push(await round(false));
    return result;
  } finally {
    await producer.close();
  }
}

export function giveBackRows({ emergencyMs, graceMs: grace }: GiveBackResult, bytes: number): Row[] {
  const name = 'memory on loan that is wanted back';
  const row = (contender: string, times: readonly number[]): Row => ({
    name,
    contender,
    workload_bytes: bytes,
    p50_ms: percentile(times, 0.5),
    p99_ms: percentile(times, 0.99),
  });
  return [row('emergency', emergencyMs), row(`asked for, grace of ${graceMs} ms`, grace)];
}

/** A quantile: the smallest number that is at least as large as `share` of the numbers. */
export function percentile(numbers: readonly number[], share: number): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0;
}
