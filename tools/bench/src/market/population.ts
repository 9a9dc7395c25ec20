/**
 * Makes random machines when there is no trace: a market with the mix that traces show.
 *
 * Most machines hardly move; some wander; a few have bursts that come and go; one in twenty changes its level for good
 * now and then. Usage lies around 45 % with a wide spread.
 */
import { seededRandom } from '@exopool/demo/random';
import type { UsageTrace } from './usage-trace.js';

/** Shares of the kinds of machines, and how each moves in a step, in shares of its memory. */
const kinds = [
  { share: 0.7, wander: 0.001, burst: 0, burstSize: 0, shift: 0.0005 },
  { share: 0.15, wander: 0.008, burst: 0, burstSize: 0, shift: 0.002 },
  { share: 0.1, wander: 0.002, burst: 0.06, burstSize: 0.12, shift: 0.001 },
  { share: 0.05, wander: 0.004, burst: 0.02, burstSize: 0.2, shift: 0.01 },
] as const;
/** The share by which a wandering machine returns to its level in a step, and the largest change of a level. */
const pull = 0.05;
const shiftSize = 0.3;

/** @returns usage by machine and step, 0..1; one seed gives the same machines. */
export function populationOf(machines: number, steps: number, seed: number): UsageTrace {
  const random = seededRandom(seed);
  const normal = (): number => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
  return Array.from({ length: machines }, () => {
    let draw = random();
    const kind = kinds.find(({ share }) => (draw -= share) < 0) ?? kinds[0];
    let level = 0.1 + 0.7 * random();
    let wandered = 0;
    return Float64Array.from({ length: steps }, () => {
      wandered += kind.wander * normal() - pull * wandered;
      if (random() < kind.shift) level = Math.min(0.95, Math.max(0.02, level + shiftSize * (random() - 0.5)));
      const burst = random() < kind.burst ? kind.burstSize * random() : 0;
      return Math.min(1, Math.max(0, level + wandered + burst));
    });
  });
}
