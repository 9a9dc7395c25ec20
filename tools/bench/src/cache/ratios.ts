/** Ratios of the sealed cache, and their targets. */
import type { Row } from '../suite.js';
import { inFlight, ratioBytes, rowName, sequential } from './plan.js';

/** Lower limits of ratios. */
export const targets = {
  get_1k_gcm_vs_ioredis_throughput: 2,
  get_1k_gcm_vs_ioredis_sequential_p50: 2.5,
  get_1k_gcm_vs_secured_redis: 4,
} as const;

/** Upper limits of ratios. */
export const targetsAtMost = {
  gcm_cost_p50: 1.1,
  metadata_bytes_per_pair: 24,
} as const;

export const ours = 'exopool aes-128-gcm';
const plain = 'exopool off';
const redis = 'ioredis';
const secured = 'ioredis, TLS, encrypting';

export function cacheRatios(rows: readonly Row[]): Record<string, number> {
  const of = (shape: typeof inFlight, contender: string): Row | undefined =>
    rows.find((row) => row.name === rowName(ratioBytes, shape) && row.contender === contender);
  const rate = (contender: string): number => of(inFlight, contender)?.ops_per_s ?? NaN;
  const p50 = (contender: string): number => of(sequential, contender)?.p50_us ?? NaN;
  const ratios = {
    get_1k_gcm_vs_ioredis_throughput: rate(ours) / rate(redis),
    get_1k_gcm_vs_ioredis_sequential_p50: p50(redis) / p50(ours),
    get_1k_gcm_vs_secured_redis: rate(ours) / rate(secured),
    gcm_cost_p50: p50(ours) / p50(plain),
    metadata_bytes_per_pair: rows.find((row) => row.metadata_bytes_per_pair)?.metadata_bytes_per_pair ?? NaN,
  };
  return Object.fromEntries(Object.entries(ratios).filter(([, ratio]) => Number.isFinite(ratio)));
}

/** One check for each measured ratio with a target. */
export function checksOf(ratios: Readonly<Record<string, number>>): Record<string, boolean> {
  const least = Object.entries(targets).map(
    ([name, target]) => [name, (ratios[name] ?? NaN) >= target] as const,
  );
  const most = Object.entries(targetsAtMost).map(
    ([name, target]) => [name, (ratios[name] ?? NaN) <= target] as const,
  );
  return Object.fromEntries([...least, ...most].filter(([name]) => ratios[name] !== undefined));
}
