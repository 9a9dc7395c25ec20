import { describe, expect, it } from 'vitest';
import type { Counted } from './counted.js';
import { ratioRowName } from './host-plan.js';
import { checksOf, driverRatios, hostRatios, ringRatios } from './ratios.js';

const count = (
  engine: string,
  instructionsPerHop: number,
  chains = 16,
  fileSystem = 'ext4',
  depth = 6,
): Counted => ({
  engine,
  fileSystem,
  depth,
  chains,
  instructionsPerHop,
  hops: 960,
});

describe('ratios', () => {
  it('of the ring are at six hops and 16 chains on ext4', () => {
    const counted = [
      count('pread', 1, 1),
      count('pread', 1, 16, 'xfs'),
      count('pread', 1, 16, 'ext4', 1),
      count('pread', 16_000),
      count('io-uring-bpf', 8000),
      count('nvme-bpf', 5000),
      count('nvme-bpf', 1, 16, 'xfs'),
    ];
    expect(ringRatios(counted)).toEqual({
      io_uring_bpf_vs_pread_instructions: 2,
      nvme_bpf_vs_pread_instructions: 3.2,
    });
    expect(ringRatios([count('nvme-bpf', 5000)])).toEqual({});
  });

  it('of the driver are to the pread of its own run, which has one chain', () => {
    const counted = [count('pread', 15_000, 1), count('driver-irq', 1000), count('driver-irq', 3000, 1)];
    const ratios = driverRatios([...counted, count('driver-wait', 20_000), count('driver-thread', 1)]);
    expect(ratios).toEqual({
      driver_irq_vs_pread_instructions: 15,
      driver_irq_one_chain_vs_pread_instructions: 5,
      driver_wait_vs_pread_instructions: 0.75,
    });
    expect(checksOf(ratios)).toEqual({
      driver_irq_vs_pread_instructions: true,
      driver_irq_one_chain_vs_pread_instructions: true,
      driver_wait_vs_pread_instructions: false,
    });
  });

  it('of this machine are of rates in memory', () => {
    const rows = [
      { name: ratioRowName, contender: 'page-cache-bpf', ops_per_s: 300 },
      { name: ratioRowName, contender: 'pread', ops_per_s: 100 },
      { name: ratioRowName, contender: 'pread, interior pages cached', ops_per_s: 1000 },
    ];
    expect(hostRatios(rows, ratioRowName)).toEqual({ page_cache_bpf_vs_pread_warm: 3 });
    expect(hostRatios(rows.slice(1), ratioRowName)).toEqual({});
  });
});
