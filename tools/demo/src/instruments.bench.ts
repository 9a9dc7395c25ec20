/** The time that the demo's instruments add to each measured read. */
import { bench, describe } from 'vitest';
import { digest } from './key-digests.js';
import { seededRandom } from './random.js';
import { TierLatencies } from './statistics.js';
import { zipf } from './zipf.js';

const nextItem = zipf(64_000, seededRandom(1));
const latencies = new TierLatencies();
const value = Buffer.alloc(1024, 3);

describe('per read', () => {
  bench('draw a key', () => {
    nextItem();
  });
  bench('record a latency', () => {
    latencies.record('memory', 0.002);
  });
  bench('check a value of 1 KiB, one read in eight', () => {
    digest(value);
  });
});
