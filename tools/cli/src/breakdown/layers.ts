/**
 * The time that one read spent in each layer, from the times at which it crossed from one layer into the next.
 *
 * ```
 *   crossing | system call | file system | block layer | driver | device | wake-up | file system | system call | crossing
 *         syscallIn      fsIn         blockIn     driverIn  driverOut  complete  running       fsOut      syscallOut
 * ```
 *
 * If a read did not pass a border, the time of that layer counts for the layer outside of it. Whatever the marks, no
 * layer's time is negative, and the sum of all layers is the time of the read.
 */
import type { ReadMarks, ReadTrace } from '@exopool/native';

/** Layers from the outside in. `wake-up` lasts from the completion until the reader runs again. */
export const layers = [
  'crossing',
  'system call',
  'file system',
  'block layer',
  'driver',
  'device',
  'wake-up',
] as const;
export type Layer = (typeof layers)[number];
/** Nanoseconds, or numbers of probes. */
export type PerLayer = Readonly<Record<Layer, number>>;

export type DriverKind = 'request' | 'bio';

export function perLayer(value: (layer: Layer) => number): PerLayer {
  return Object.fromEntries(layers.map((layer) => [layer, value(layer)])) as unknown as PerLayer;
}

export function sumOf(values: PerLayer): number {
  return layers.reduce((sum, layer) => sum + values[layer], 0);
}

/** A layer that a read enters, and the time in nanoseconds. */
type Step = readonly [layer: Layer, at: number];

/** The layers that a read enters on the way in. A device without requests works during the call of its driver. */
function inwardSteps(marks: ReadMarks, kind: DriverKind): Step[] {
  const isBio = kind === 'bio' && marks.driverIn !== undefined;
  const steps: (readonly [Layer, number | undefined])[] = [
    ['system call', marks.syscallIn],
    ['file system', marks.fsIn],
    ['block layer', marks.blockIn],
    ['driver', isBio ? undefined : marks.driverIn],
    ['device', isBio ? marks.driverIn : (marks.driverOut ?? marks.issue)],
    ['wake-up', isBio ? marks.driverOut : marks.complete],
  ];
  return steps.filter((step): step is Step => step[1] !== undefined);
}

/** Nanoseconds in each layer. Their sum is `marks.after`. */
export function timesOf(marks: ReadMarks, kind: DriverKind = 'request'): PerLayer {
  const times = { ...perLayer(() => 0) };
  let layer: Layer = 'crossing';
  let since = 0;
  const enter = (next: Layer, at: number): void => {
    const now = Math.min(Math.max(at, since), marks.after);
    times[layer] += now - since;
    since = now;
    layer = next;
  };
  const inward = inwardSteps(marks, kind);
  for (const [next, at] of inward) enter(next, at);
  // A read returns only to layers that it was seen to enter. A read that did not sleep has no mark `running`: it
  // continued at once.
  const outer: Layer[] = inward
    .map(([next]) => next)
    .filter((next) => next === 'file system' || next === 'system call');
  enter(outer.at(-1) ?? 'crossing', marks.running ?? since);
  if (outer.length === 2) enter('system call', marks.fsOut ?? since);
  enter('crossing', marks.syscallOut ?? since);
  enter('crossing', marks.after);
  return times;
}

/** Number of probes that a read passed, by layer. A probe at a border counts half for the layer on either side. */
export interface Passages {
  /** Probes around the system call. */
  readonly call: PerLayer;
  readonly inner: PerLayer;
}

const borders: readonly (readonly [keyof ReadMarks, Layer, Layer])[] = [
  ['syscallIn', 'crossing', 'system call'],
  ['fsIn', 'system call', 'file system'],
  ['blockIn', 'file system', 'block layer'],
  ['driverIn', 'block layer', 'driver'],
  ['issue', 'driver', 'driver'],
  ['driverOut', 'driver', 'device'],
  ['complete', 'device', 'wake-up'],
  ['running', 'wake-up', 'file system'],
  ['fsOut', 'file system', 'system call'],
  ['syscallOut', 'system call', 'crossing'],
];

export function passagesOf(marks: ReadMarks): Passages {
  const call = { ...perLayer(() => 0) };
  const inner = { ...perLayer(() => 0) };
  for (const [mark, before, after] of borders) {
    if (marks[mark] === undefined) continue;
    const into = mark === 'syscallIn' || mark === 'syscallOut' ? call : inner;
    into[before] += 0.5;
    into[after] += 0.5;
  }
  return { call, inner };
}

/**
 * Layers that the probes tell apart, each with the layers that are counted with it.
 * @param marks of a read that passed all existing borders
 */
export function groupsOf(marks: ReadMarks, kind: DriverKind): Layer[][] {
  const seen = new Set<Layer>(['crossing', ...inwardSteps(marks, kind).map(([layer]) => layer)]);
  // If no probe saw the driver, its time counts for the device.
  const isDriverAlone = seen.has('driver');
  if (seen.has('device')) seen.add('driver');
  if (!isDriverAlone) seen.delete('device');
  const groups: Layer[][] = [];
  for (const layer of layers) {
    if (seen.has(layer)) groups.push([layer]);
    else groups.at(-1)!.push(layer);
  }
  return groups;
}

/** The reads of a trace that reached the device. Other reads say nothing about the layers below the file system. */
export function readsOfDevice(trace: ReadTrace): readonly ReadMarks[] {
  return trace.traced.filter(({ blockIn }) => blockIn !== undefined);
}
