import { describe, expect, it } from 'vitest';
import { assertKnown, isWanted } from './only.js';

describe('--only', () => {
  it('leaves what has one of the parts in its name', () => {
    const left = ['lmdb', 'lmdb tuned', 'rocksdb'].filter((name) => isWanted(['tuned', 'rocks'], name));
    expect(left).toEqual(['lmdb tuned', 'rocksdb']);
    expect(isWanted(undefined, 'lmdb')).toBe(true);
  });

  it('refuses a part that nothing has, beside others that are known', () => {
    const names = ['redis', 'slab server'];
    expect(() => assertKnown(['redis', 'slap'], names)).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_USAGE', message: expect.stringContaining('slap') as string }),
    );
    expect(() => assertKnown(['slab'], names)).not.toThrow();
    expect(() => assertKnown(undefined, names)).not.toThrow();
  });
});
