import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseCounted } from './counted.js';

const counted = {
  engine: 'pread',
  fileSystem: 'ext4',
  depth: 6,
  chains: 16,
  instructionsPerHop: 16_200,
  hops: 960,
};

describe('parseCounted', () => {
  it('finds counts and refusals among words to people', () => {
    const refused = { engine: 'nvme-bpf', refused: 'not on an NVMe device' };
    const spread = { ...counted, low: 16_100, high: 16_300 };
    const text = `a turn takes 4.004\n${JSON.stringify(counted)}\n${JSON.stringify(refused)}\n${JSON.stringify(spread)}\n`;
    expect(parseCounted(text)).toEqual({ counted: [counted, spread], refused: [refused] });
  });

  it('refuses what is cut off, missing or absurd', () => {
    const wrong = [
      JSON.stringify(counted).slice(0, -1),
      '{}',
      ...[{ depth: 0 }, { chains: 1.5 }, { instructionsPerHop: -1 }, { hops: 0 }, { engine: '' }].map(
        (part) => JSON.stringify({ ...counted, ...part }),
      ),
    ];
    for (const line of wrong) expect(() => parseCounted(line), line).toThrow(/not understood/);
  });

  it('takes any text or throws its own error', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        try {
          expect(parseCounted(`{${text}`).counted).toEqual([]);
        } catch (error) {
          expect(String(error)).toContain('not understood');
        }
      }),
    );
  });
});
