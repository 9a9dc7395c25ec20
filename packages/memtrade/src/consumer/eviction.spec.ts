/** What is kept when not everything fits, against a least-recently-used list of as many bytes. */
import { needs } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { blockTrace, whyNoTrace, type BlockRequest } from '../testing/block-trace.js';
import { openLeasedCache } from '../testing/leased-cache.js';

const MiB = 1024 * 1024;
/** A value has a 16th of the bytes of its block request: the working set is 121 MiB then. */
const scale = 16;
const capacities = [12, 30, 61];
const needed =
  process.env['EXOPOOL_TEST_ALL'] === '1'
    ? needs('traces', whyNoTrace())
    : needs('all', 'a third of a million requests take half a minute');

const bytesOf = ({ bytes }: BlockRequest): number => Math.max(1, Math.floor(bytes / scale));

function hitsOfLru(requests: readonly BlockRequest[], capacityBytes: number): number {
  const held = new Map<string, number>();
  let [bytes, hits] = [0, 0];
  for (const request of requests) {
    const { key } = request;
    const before = held.get(key);
    if (before !== undefined) hits++;
    held.delete(key);
    held.set(key, bytesOf(request));
    bytes += bytesOf(request) - (before ?? 0);
    for (const [oldest, size] of held) {
      if (bytes <= capacityBytes) break;
      held.delete(oldest);
      bytes -= size;
    }
  }
  return hits;
}

describe('eviction', needed, () => {
  it.each(capacities)('keeps more of what is asked for again than a list does, in %i MiB', async (mib) => {
    const requests = blockTrace();
    const leased = await openLeasedCache(mib, MiB, 'off');
    const { cache } = leased;
    let hits = 0;
    for (const request of requests) {
      const key = Buffer.from(request.key);
      if ((await cache.get(key)) !== undefined) hits++;
      else await cache.putMany([[key, Buffer.alloc(bytesOf(request))]]);
    }
    leased.close();
    expect(hits).toBeGreaterThan(hitsOfLru(requests, mib * MiB));
  });
});
