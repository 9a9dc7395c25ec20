/**
 * A skewed choice among `count` items: the r-th most popular is taken with probability 1 / r^theta, up to a factor.
 *
 * The method is that of Gray et al., "Quickly generating billion-record synthetic databases" (SIGMOD'94), which YCSB
 * uses too: one sum over all items at the start, then constant time for each draw. A random permutation scatters
 * popularity over the items. Otherwise neighbours in key order, which share a page, would be hot together.
 */
import { shuffled, type Random } from './random.js';

/** YCSB's skew. The method needs 0 < theta < 1. */
export const defaultTheta = 0.99;

/** @returns a function that draws an item, 0 .. count-1. */
export function zipf(count: number, random: Random, theta = defaultTheta): () => number {
  const items = shuffled(count, random);
  const rank = zipfRank(count, random, theta);
  return () => items[rank()]!;
}

/** Draws a rank, 0 being the most popular. */
export function zipfRank(count: number, random: Random, theta = defaultTheta): () => number {
  const zetaTwo = 1 + 0.5 ** theta;
  let zeta = 0;
  for (let rank = 1; rank <= count; rank += 1) zeta += 1 / rank ** theta;
  const alpha = 1 / (1 - theta);
  const eta = (1 - (2 / count) ** (1 - theta)) / (1 - zetaTwo / zeta);
  return () => {
    const uniform = random();
    const scaled = uniform * zeta;
    if (scaled < 1) return 0;
    if (scaled < zetaTwo) return Math.min(1, count - 1);
    return Math.min(count - 1, Math.floor(count * (eta * uniform - eta + 1) ** alpha));
  };
}
