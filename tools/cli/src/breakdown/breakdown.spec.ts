import { needs } from '@exopool/house';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExopoolError } from '@exopool/shared';
import { traceReads, type ReadMarks, type ReadTrace } from '@exopool/native';
import { breakDown, chainTimes, middleHalf, probeCosts, shareOut } from './breakdown.js';
import { describeBreakdown } from './describe.js';
import { layers, perLayer, sumOf } from './layers.js';
import { paperChainDepth, paperLayersNs } from './paper.js';

const ns = fc.double({ min: 0, max: 1e7, noNaN: true });
const anyLayers = fc
  .tuple(...layers.map(() => ns))
  .map((values) => perLayer((layer) => values[layers.indexOf(layer)]!));

/** A read that spends 100 ns in each layer in each direction, with probes of 10 ns. */
const read: ReadMarks = {
  before: 0,
  syscallIn: 105,
  fsIn: 215,
  blockIn: 325,
  driverIn: 435,
  driverOut: 545,
  complete: 655,
  running: 765,
  fsOut: 875,
  syscallOut: 985,
  after: 1090,
};

function traceOf(traced: readonly ReadMarks[], untracedNs: readonly number[]): ReadTrace {
  return {
    route: {
      fileSystem: 'ext4',
      device: 'nvme0n1',
      readFunction: 'ext4_file_read_iter',
      driver: { functions: [], kind: 'request' },
    },
    untracedNs: Float64Array.from(untracedNs),
    traced,
    probes: [],
    callProbeNs: 10,
    clockNs: 0,
  };
}

describe('a breakdown', () => {
  it('is of plain reads: what the probes cost is not in it', () => {
    const found = breakDown(
      traceOf(
        Array.from({ length: 8 }, () => read),
        Array(8).fill(1000) as number[],
      ),
    );
    expect(found).toMatchObject({
      totalNs: 1000,
      overheadNs: 90,
      callProbeNs: 10,
      innerProbeNs: 10,
      passages: 9,
    });
    expect(found.unexplained).toBeCloseTo(0);
    for (const layer of layers) {
      const ways = ['crossing', 'system call', 'file system'].includes(layer) ? 2 : 1;
      expect(found.layersNs[layer]).toBeCloseTo(100 * ways);
    }
  });

  it('adds up to the plain read and has no negative part, whatever was measured', () => {
    fc.assert(
      fc.property(anyLayers, anyLayers, ns, (seenNs, costNs, totalNs) => {
        const { layersNs } = shareOut(seenNs, costNs, totalNs);
        for (const layer of layers) expect(layersNs[layer]).toBeGreaterThanOrEqual(0);
        expect(sumOf(layersNs)).toBeCloseTo(totalNs, 3);
      }),
    );
  });

  it('takes no probe to cost less than nothing, or further in more than at the system call', () => {
    fc.assert(
      fc.property(
        anyLayers,
        anyLayers,
        fc.double({ min: -1e7, max: 1e7, noNaN: true }),
        ns,
        (call, inner, over, each) => {
          const costs = probeCosts({ call, inner }, over, each);
          expect(costs.innerProbeNs).toBeGreaterThanOrEqual(0);
          expect(costs.innerProbeNs).toBeLessThanOrEqual(each);
        },
      ),
    );
  });

  it('leaves out the quickest and the slowest reads', () => {
    expect(middleHalf([9, 1, 5, 2, 4, 3, 8, 1000], (value) => value)).toEqual([3, 4, 5, 8]);
    expect(middleHalf([7], (value) => value)).toEqual([7]);
  });

  it('is refused for reads that did not reach the device', () => {
    const hole: ReadMarks = { before: 0, syscallIn: 1, after: 9 };
    expect(() => breakDown(traceOf([hole, hole, read], [9]))).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_INVALID' }),
    );
  });

  it('tells what a chain could save, for the paper about what it measured', () => {
    const totalNs = sumOf(paperLayersNs);
    const paper = { layersNs: paperLayersNs, totalNs, groups: layers.map((layer) => [layer]) };
    const base = breakDown(traceOf([read], [1000]));
    const times = chainTimes({ ...base, ...paper }, paperChainDepth);
    expect(times).toEqual({ userNs: 62_720, syscallNs: 62_720 - 9 * 351, driverNs: 6272 + 9 * 3337 });
    expect(chainTimes({ ...base, ...paper }, 1)).toEqual({ userNs: 6272, syscallNs: 6272, driverNs: 6272 });
  });
});

/** A trace of reads on this machine, or the reason why there is none. */
async function traceHere(): Promise<ReadTrace | string> {
  try {
    return await traceReads({ path: process.execPath, reads: 200 });
  } catch (error) {
    if (error instanceof ExopoolError && error.code === 'EXOPOOL_UNSUPPORTED') return error.message;
    throw error;
  }
}

const here = await traceHere();

describe('reads of this machine', needs('read-trace', typeof here === 'string' ? here : undefined), () => {
  it('pass the borders in order, and are broken down into what they took', () => {
    const trace = here as ReadTrace;
    expect(trace.traced).toHaveLength(200);
    expect(trace.untracedNs).toHaveLength(200);
    for (const { before, syscallIn, blockIn, syscallOut, after } of trace.traced) {
      expect(before).toBe(0);
      expect(syscallIn).toBeGreaterThanOrEqual(0);
      expect(blockIn).toBeGreaterThanOrEqual(syscallIn!);
      expect(syscallOut).toBeGreaterThanOrEqual(blockIn!);
      expect(after).toBeGreaterThanOrEqual(syscallOut!);
    }
    const found = breakDown(trace);
    expect(sumOf(found.layersNs)).toBeCloseTo(found.totalNs, 3);
    expect(describeBreakdown(trace, found, 6)).toMatch(/^crossing .*^all .*^6 reads, .* on /ms);
  });

  it('are refused with the reason where they cannot be traced', async () => {
    await expect(traceReads({ path: '/proc/self/status', reads: 200 })).rejects.toMatchObject({
      code: 'EXOPOOL_UNSUPPORTED',
      message: expect.stringContaining('not on a block device') as string,
    });
    await expect(traceReads({ path: '/nowhere', reads: 200 })).rejects.toMatchObject({
      code: 'EXOPOOL_NOT_FOUND',
    });
    await expect(traceReads({ path: process.execPath, reads: 0 })).rejects.toMatchObject({
      code: 'EXOPOOL_INVALID',
    });
  });
});
