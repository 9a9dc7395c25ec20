import type { EngineSupport } from '@exopool/native';
import { describe, expect, it } from 'vitest';
import { chooseEngine, EngineSelector, parseEngineName, warmShareAgeMs } from './engine.js';

const pread: EngineSupport = { engine: 'pread', available: true };
const ring: EngineSupport = { engine: 'io-uring', available: true };
const noRing: EngineSupport = { engine: 'io-uring', available: false, reason: 'seccomp', fix: 'allow it' };
const bpf: EngineSupport = { engine: 'page-cache-bpf', available: true };
const noBpf: EngineSupport = {
  engine: 'page-cache-bpf',
  available: false,
  reason: 'not root',
  fix: 'sudo it',
};

const driver: EngineSupport = { engine: 'driver', available: true };

describe('chooseEngine', () => {
  it.each([
    ['auto', ring, bpf, 1, 'page-cache-bpf'],
    ['auto', ring, bpf, 0.95, 'page-cache-bpf'],
    ['auto', ring, bpf, 0.94, 'io-uring'],
    ['auto', noRing, bpf, 0.94, 'pread'],
    ['auto', ring, noBpf, 1, 'pread'],
    ['auto', ring, noBpf, 0, 'io-uring'],
    ['auto', noRing, noBpf, 0, 'pread'],
    ['auto', ring, driver, 0, 'driver'],
    ['auto', bpf, driver, 1, 'page-cache-bpf'],
    ['pread', ring, bpf, 0, 'pread'],
    ['io-uring', ring, bpf, 1, 'io-uring'],
    ['page-cache-bpf', ring, bpf, 0, 'page-cache-bpf'],
  ] as const)('%s with %j and %j, resident %d: %s', (requested, a, b, residentShare, expected) => {
    expect(chooseEngine({ requested, support: [pread, a, b], residentShare })).toBe(expected);
  });

  it('refuses a forced engine with the reason and the remedy', () => {
    const situation = {
      requested: 'page-cache-bpf',
      support: [pread, noBpf],
      residentShare: 1,
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
    const residentShare = (): number => ((measured += 1), measured === 1 ? 1 : 0);
    const table = { residentShare, pin: () => undefined, attachToDriver: () => undefined };
    const selector = new EngineSelector(table, [pread, bpf], () => now);
    expect(selector.choose('pread')).toBe('pread');
    expect(measured).toBe(0);
    expect(selector.choose('auto')).toBe('page-cache-bpf');
    now = warmShareAgeMs - 1;
    expect(selector.choose('auto')).toBe('page-cache-bpf');
    now = warmShareAgeMs;
    expect(selector.choose('auto')).toBe('pread');
    expect(measured).toBe(2);
  });

  it('reads a table by pread that cannot be pinned, and asks once', () => {
    let asked = 0;
    const pin = (): void => {
      asked += 1;
      throw new Error('inline extents');
    };
    const nvme: EngineSupport = { engine: 'nvme-bpf', available: true };
    const table = { residentShare: () => 0, pin, attachToDriver: () => undefined };
    const selector = new EngineSelector(table, [pread, nvme]);
    expect([selector.choose('nvme-bpf'), selector.choose('nvme-bpf')]).toEqual(['pread', 'pread']);
    expect(asked).toBe(1);
  });

  it.each([
    ['auto', 'io-uring'],
    ['driver', 'pread'],
  ] as const)(
    'with %s, reads a table that the driver refuses by %s, and asks once',
    (requested, expected) => {
      let asked = 0;
      const attachToDriver = (): void => {
        asked += 1;
        throw new Error('not on ext4');
      };
      const table = { residentShare: () => 0, pin: () => undefined, attachToDriver };
      const selector = new EngineSelector(table, [pread, ring, driver]);
      expect([selector.choose(requested), selector.choose(requested)]).toEqual([expected, expected]);
      expect(asked).toBe(1);
    },
  );
});
