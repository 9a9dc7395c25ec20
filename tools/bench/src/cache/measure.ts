/** One window of one contender: Zipf-distributed gets, all of them hits. Each answer is checked. */
import { seededRandom } from '@exopool/demo/random';
import { zipf } from '@exopool/demo/zipf';
import { ExopoolError } from '@exopool/shared';
import { driveAsync, type Driven } from '../lookup/drive.js';
import type { CacheContender } from './contenders/contender.js';
import type { Shape } from './plan.js';

/** Keys drawn before a window, so that drawing is not measured. They are repeated. */
const drawnKeys = 65_536;
/** Values in one write while filling. */
const fillBatch = 64;

export function keyOf(index: number): Buffer {
  return Buffer.from(`key:${String(index).padStart(12, '0')}`);
}

export async function fill(contender: CacheContender, records: number, valueBytes: number): Promise<void> {
  for (let start = 0; start < records; start += fillBatch) {
    const count = Math.min(fillBatch, records - start);
    await contender.putMany(
      Array.from(
        { length: count },
        (_, index) => [keyOf(start + index), valueOf(start + index, valueBytes)] as const,
      ),
    );
  }
}

/** The same keys for all contenders. */
export function drawKeys(records: number): Buffer[] {
  const draw = zipf(records, seededRandom(1));
  return Array.from({ length: drawnKeys }, () => keyOf(draw()));
}

/** @throws ExopoolError `EXOPOOL_INTERNAL` if a stored value is missing. */
export async function measure(
  contender: CacheContender,
  shape: Shape,
  options: { readonly keys: readonly Buffer[]; readonly valueBytes: number; readonly seconds: number },
): Promise<Driven> {
  const { keys, valueBytes, seconds } = options;
  let at = 0;
  let missing = 0;
  const next = (): Buffer => keys[at++ % keys.length]!;
  const call =
    shape.keys === 1
      ? async () => {
          if ((await contender.get(next()))?.length !== valueBytes) missing += 1;
        }
      : async () => {
          const got = await contender.getMany(Array.from({ length: shape.keys }, next));
          missing += got.filter((value) => value?.length !== valueBytes).length;
        };
  const driven = await driveAsync(call, { seconds, inFlight: shape.inFlight, stride: 1 });
  if (missing > 0)
    throw new ExopoolError('EXOPOOL_INTERNAL', `${contender.name}: ${missing} values were not there`);
  return { ...driven, calls: driven.calls * shape.keys };
}

function valueOf(index: number, bytes: number): Buffer {
  return Buffer.alloc(bytes, `${index}.`);
}
