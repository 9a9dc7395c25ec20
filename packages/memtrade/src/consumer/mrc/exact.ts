/** The exact miss-ratio curve of a trace, for traces that fit in memory: Mattson's stack with a tree. */
import { DistanceHistogram, type MissRatioCurve } from './miss-ratio-curve.js';
import { RecencyTree } from './recency-tree.js';

export interface TraceUse {
  readonly key: string;
  /** Of the value. */
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
