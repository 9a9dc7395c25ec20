/** Miss-ratio curves of traces that fit in memory: the exact one (Mattson's stack, as a tree), and a sampled one. */
import { hashKey } from './key-hash.js';
import { DistanceHistogram, type MissRatioCurve } from './miss-ratio-curve.js';
import { RecencyTree } from './recency-tree.js';
import { Shards } from './shards.js';

export interface TraceUse {
  /** One byte per character. */
  readonly key: string;
  /** Length of the value. */
  readonly bytes: number;
}

export function exactCurve(uses: readonly TraceUse[]): MissRatioCurve {
  const items = new Map<string, number>();
  const slots: number[] = [];
  const histogram = new DistanceHistogram();
  const recency = new RecencyTree(uses.length + 1, (item, slot) => (slots[item] = slot));
  for (const { key, bytes } of uses) {
    let item = items.get(key);
    if (item === undefined) {
      item = items.size;
      items.set(key, item);
    } else {
      histogram.add(recency.weightAfter(slots[item]!) + bytes, 1);
      recency.remove(slots[item]!);
    }
    slots[item] = recency.append(item, bytes);
  }
  return histogram.curve(uses.length);
}

/** The sampled curve, computed as in a running consumer. */
export function sampledCurve(uses: readonly TraceUse[]): MissRatioCurve {
  const shards = new Shards();
  for (const { key, bytes } of uses) shards.use(hashKey(key), bytes);
  return shards.curve();
}
