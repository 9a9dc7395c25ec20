import path from 'node:path';
import { needs } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import type { ReadTrace } from '@exopool/native';
import { guestTimeoutMs, runScript, whyNoGuests } from '@exopool/vm/testing';
import { breakDown } from './breakdown.js';
import { layers, sumOf } from './layers.js';

const reason = whyNoGuests();
const script = path.join(import.meta.dirname, '..', 'testing', 'guest-reads.mjs');

type Printed = Omit<ReadTrace, 'untracedNs'> & { readonly untracedNs: readonly number[] };

function breakDownPrinted(trace: Printed): ReturnType<typeof breakDown> {
  return breakDown({ ...trace, untracedNs: Float64Array.from(trace.untracedNs) });
}

describe('a breakdown in a guest', needs('guests', reason), () => {
  it('tells all layers apart by the functions of the kernel', { timeout: guestTimeoutMs }, async () => {
    const command = `exec '${process.execPath}' '${script}'`;
    const { status, out, err } = await runScript('6.12', command, { nvmeBytes: 64 << 20 });
    expect({ status, err }).toEqual({ status: 0, err: '' });
    const { nvme, zram } = JSON.parse(out.toString()) as { nvme: Printed; zram: Printed };
    expect(nvme.tracepointsOnly).toBeUndefined();
    expect(nvme.route).toMatchObject({ fileSystem: 'ext4', device: 'nvme0n1' });
    expect(breakDownPrinted(nvme).groups).toHaveLength(layers.length);
    expect(zram.route).toMatchObject({ fileSystem: 'block device', device: 'zram0' });
    expect(breakDownPrinted(zram).groups).toContainEqual(['driver', 'device']);
    for (const trace of [nvme, zram]) {
      const { totalNs, layersNs } = breakDownPrinted(trace);
      expect(sumOf(layersNs) / totalNs).toBeCloseTo(1, 6);
      // Under emulation a layer shorter than its probes counts as 0. These layers are longer.
      expect(layersNs.driver + layersNs.device, JSON.stringify(layersNs)).toBeGreaterThan(0);
      expect(layersNs.crossing, JSON.stringify(layersNs)).toBeGreaterThan(0);
    }
  });
});
