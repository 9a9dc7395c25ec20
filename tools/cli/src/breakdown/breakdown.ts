/**
 * Nanoseconds that a read spends in each layer, without the cost of the probes.
 *
 * Reads with probes show how the time divides into layers, reads without probes show the total. A system call that does
 * nothing shows the cost of a probe, which is subtracted from the layers around the probe. Probed reads may then still
 * be longer or shorter than plain ones. All layers are scaled by the same factor, so that they add up to a plain read.
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
  /** Time of a read without probes: the sum of the layers. */
  readonly totalNs: number;
  readonly layersNs: PerLayer;
  /** Layers that the probes tell apart, each with the layers that are counted with it. */
  readonly groups: readonly (readonly Layer[])[];
  /** Additional time of a read with probes. It is negative if the device's own time varies by more than that. */
  readonly overheadNs: number;
  /** Cost of a probe around the system call, and of a probe inside the kernel's layers. */
  readonly callProbeNs: number;
  readonly innerProbeNs: number;
  /** Number of probes that a read passes. */
  readonly passages: number;
  /** Share of the plain read that neither layers nor probes explain. The scaling of the layers spreads it over them. */
  readonly unexplained: number;
}

/** The middle half of the reads by their time, without outliers from interrupts or a busy CPU. */
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

/** @throws `EXOPOOL_INVALID` if most reads did not reach the device: the file has holes, or is stored in its inode */
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
  // The time of a read includes one reading of the clock.
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

/** Subtracts the costs from the seen times and scales the rest to add up to `totalNs`. No layer is negative. */
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
 * Cost of the probes in each layer. Probes around the system call were timed. The others share the rest of the
 * overhead, but each costs at most as much as a timed one: on a slow device the overhead is less than the variation of reads.
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

/** Estimated time of `depth` dependent reads if the kernel issues the next one, by the layer that issues it. */
export interface ChainTimes {
  readonly userNs: number;
  readonly syscallNs: number;
  readonly driverNs: number;
}

/**
 * A read issued within the system call saves the crossing. A read issued in the driver's completion handler saves all
 * but the driver and the device (and layers that the probes do not tell apart from them).
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

/** Share of the time that is spent outside the device. `undefined` if the probes do not show it. */
export function softwareShare({ layersNs, totalNs, groups }: Breakdown): number | undefined {
  const isApart = groups.some((group) => group.includes('device') && !group.includes('block layer'));
  return isApart && totalNs > 0 ? 1 - layersNs.device / totalNs : undefined;
}
