/**
 * Nanoseconds a read spends in each layer, without what looking cost.
 *
 * Reads with probes tell how the time is shared, reads without them how much it is. What a probe costs is known from a
 * system call that does nothing; it is taken from the layers that it lies in. What the probed reads then still take
 * longer, or less, than the plain ones is shared out in proportion, so that the layers add up to a plain read.
 */
import { ExopoolError } from '@exopool/shared';
import type { ReadMarks, ReadTrace } from '@exopool/native';
import {
  groupsOf,
  passagesOf,
  perLayer,
  readsOfDevice,
  sumOf,
  timesOf,
  type DriverKind,
  type Layer,
  type Passages,
  type PerLayer,
} from './layers.js';

export interface Breakdown {
  /** Of a plain read; the layers' sum. */
  readonly totalNs: number;
  readonly layersNs: PerLayer;
  /** Layers that could be told apart, each with those counted with it. */
  readonly groups: readonly (readonly Layer[])[];
  /** Of a read with probes, what it took longer. Less than none on a device whose own time varies more. */
  readonly overheadNs: number;
  /** What one probe around the system call costs, and one further in. */
  readonly callProbeNs: number;
  readonly innerProbeNs: number;
  /** Probes that a read passes. */
  readonly passages: number;
  /** Share of the plain read that neither was seen nor is explained by the probes: it was shared out. */
  readonly unexplained: number;
}

/** Of the reads the middle half by their time: an interrupt or a busy CPU in some is not where a read's time goes. */
export function middleHalf<T>(items: readonly T[], nsOf: (item: T) => number): T[] {
  const sorted = [...items].sort((a, b) => nsOf(a) - nsOf(b));
  const cut = Math.floor(sorted.length / 4);
  return sorted.slice(cut, sorted.length - cut);
}

function mean(numbers: readonly number[]): number {
  return numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
}

function meanPerLayer(items: readonly PerLayer[]): PerLayer {
  return perLayer((layer) => mean(items.map((item) => item[layer])));
}

/** @throws `EXOPOOL_INVALID` when most of the reads did not reach the device: the file has holes, or is in its inode */
export function breakDown(trace: ReadTrace): Breakdown {
  const reads = readsOfDevice(trace);
  if (reads.length < trace.traced.length / 2) {
    const missed = trace.traced.length - reads.length;
    const message = `${missed} of ${trace.traced.length} reads did not reach the device: take a file without holes`;
    throw new ExopoolError('EXOPOOL_INVALID', message);
  }
  const middle = middleHalf(reads, ({ after }) => after);
  const kind: DriverKind = trace.route.driver?.kind ?? 'request';
  const seenNs = meanPerLayer(middle.map((marks) => timesOf(marks, kind)));
  const plain = middleHalf([...trace.untracedNs], (ns) => ns);
  // One reading of the clock lies between the two times of a read.
  const totalNs = Math.max(0, mean(plain) - trace.clockNs);
  const costs = probeCosts(meanPassages(middle), sumOf(seenNs) - trace.clockNs - totalNs, trace.callProbeNs);
  const costNs = perLayer((layer) => costs.perLayerNs[layer] + (layer === 'crossing' ? trace.clockNs : 0));
  return {
    ...shareOut(seenNs, costNs, totalNs),
    totalNs,
    groups: groupsOf(fullest(middle), kind),
    overheadNs: sumOf(seenNs) - trace.clockNs - totalNs,
    callProbeNs: trace.callProbeNs,
    innerProbeNs: costs.innerProbeNs,
    passages: costs.passages,
  };
}

/** Layers that add up to `totalNs`: what was seen, less its costs, in proportion. None is less than nothing. */
export function shareOut(
  seenNs: PerLayer,
  costNs: PerLayer,
  totalNs: number,
): { layersNs: PerLayer; unexplained: number } {
  const ownNs = perLayer((layer) => Math.max(0, seenNs[layer] - costNs[layer]));
  const ownSum = sumOf(ownNs);
  if (ownSum === 0) {
    return { layersNs: perLayer((layer) => (layer === 'crossing' ? totalNs : 0)), unexplained: 1 };
  }
  const layersNs = perLayer((layer) => (ownNs[layer] / ownSum) * totalNs);
  return { layersNs, unexplained: totalNs === 0 ? 0 : Math.abs(ownSum - totalNs) / totalNs };
}

/**
 * What probes cost in each layer. Those around the system call were timed; the others have what is left of the
 * overhead, but at most as much each: on a slow device the overhead is lost in what its reads vary.
 */
export function probeCosts(
  { call, inner }: Passages,
  overheadNs: number,
  callProbeNs: number,
): { perLayerNs: PerLayer; innerProbeNs: number; passages: number } {
  const leftNs = overheadNs - sumOf(call) * callProbeNs;
  const innerPassages = sumOf(inner);
  const innerProbeNs = innerPassages === 0 ? 0 : Math.min(Math.max(0, leftNs / innerPassages), callProbeNs);
  const perLayerNs = perLayer((layer) => call[layer] * callProbeNs + inner[layer] * innerProbeNs);
  return { perLayerNs, innerProbeNs, passages: sumOf(call) + innerPassages };
}

function meanPassages(reads: readonly ReadMarks[]): Passages {
  const all = reads.map(passagesOf);
  return {
    call: meanPerLayer(all.map(({ call }) => call)),
    inner: meanPerLayer(all.map(({ inner }) => inner)),
  };
}

/** The read that passed most borders. */
function fullest(reads: readonly ReadMarks[]): ReadMarks {
  const count = (marks: ReadMarks): number => Object.keys(marks).length;
  return reads.reduce((best, marks) => (count(marks) > count(best) ? marks : best));
}

/** Time of `depth` dependent reads when the next one is issued from further in, as far as the layers tell. */
export interface ChainTimes {
  readonly userNs: number;
  readonly syscallNs: number;
  readonly driverNs: number;
}

/**
 * From the system call each further read spares the crossing; from the driver's completion handler everything but driver
 * and device (and what could not be told apart from them).
 */
export function chainTimes({ layersNs, totalNs, groups }: Breakdown, depth: number): ChainTimes {
  const further = depth - 1;
  const inmost = groups.filter((group) => group.includes('driver') || group.includes('device'));
  const inmostNs = inmost.flat().reduce((sum, layer) => sum + layersNs[layer], 0);
  return {
    userNs: depth * totalNs,
    syscallNs: totalNs + further * (totalNs - layersNs.crossing),
    driverNs: totalNs + further * inmostNs,
  };
}

/** Share of the time that is not the device's. */
export function softwareShare({ layersNs, totalNs, groups }: Breakdown): number | undefined {
  const isApart = groups.some((group) => group.includes('device') && !group.includes('block layer'));
  return isApart && totalNs > 0 ? 1 - layersNs.device / totalNs : undefined;
}
