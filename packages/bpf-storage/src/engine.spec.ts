import type { EngineSupport } from '@exopool/native';
import { describe, expect, it } from 'vitest';
import { chooseEngine, EngineSelector, parseEngineName, warmShareAgeMs } from './engine.js';

const pread: EngineSupport = { engine: 'pread', available: true };
const bpf: EngineSupport = { engine: 'page-cache-bpf', available: true };
const noBpf: EngineSupport = {
  engine: 'page-cache-bpf',
  available: false,
  reason: 'not root',
  fix: 'sudo it',
};

describe('chooseEngine', () => {
  it.each([
    ['auto', bpf, 1, 64, 'page-cache-bpf'],
    ['auto', bpf, 0.95, 1, 'page-cache-bpf'],
    ['auto', bpf, 0.94, 64, 'pread'],
    ['auto', noBpf, 1, 64, 'pread'],
    ['pread', bpf, 1, 64, 'pread'],
    ['page-cache-bpf', bpf, 0, 64, 'page-cache-bpf'],
  ] as const)(
    '%s with %j, resident %d, batch %d: %s',
    (requested, other, residentShare, batchSize, expected) => {
      expect(chooseEngine({ requested, support: [pread, other], residentShare, batchSize })).toBe(expected);
    },
  );

  it('refuses a forced engine with the reason and the remedy', () => {
    const situation = {
      requested: 'page-cache-bpf',
      support: [pread, noBpf],
      residentShare: 1,
      batchSize: 1,
    } as const;
    expect(() => chooseEngine(situation)).toThrow(
      expect.objectContaining({
        code: 'EXOPOOL_UNSUPPORTED',
        message: expect.stringMatching(/not root.*sudo it/) as string,
      }),
    );
  });

  it('knows its names', () => {
    expect(parseEngineName('auto')).toBe('auto');
    expect(() => parseEngineName('mmap')).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }));
  });
});

describe('EngineSelector', () => {
  it('measures the resident share once in a while, and only for auto', () => {
    let now = 0;
    let measured = 0;
    const table = { residentShare: () => ((measured += 1), measured === 1 ? 1 : 0) };
    const selector = new EngineSelector(table, [pread, bpf], () => now);
    expect(selector.choose('pread', 1)).toBe('pread');
    expect(measured).toBe(0);
    expect(selector.choose('auto', 1)).toBe('page-cache-bpf');
    now = warmShareAgeMs - 1;
    expect(selector.choose('auto', 1)).toBe('page-cache-bpf');
    now = warmShareAgeMs;
    expect(selector.choose('auto', 1)).toBe('pread');
    expect(measured).toBe(2);
  });
});
