import path from 'node:path';
import { afterEach, describe, expect, it, vi } from 'vitest';

const fresh = async () => {
  vi.resetModules();
  return import('./load-binding.js');
};

describe('loadBinding', () => {
  afterEach(() => vi.unstubAllEnvs());

  it('loads the addon once', async () => {
    const { loadBinding } = await fresh();
    expect(loadBinding()).toHaveProperty('crc32c');
    expect(loadBinding()).toBe(loadBinding());
  });

  it('names the place it tried and the command that builds it', async () => {
    const { loadBinding, bindingPlaces } = await fresh();
    vi.stubEnv('EXOPOOL_ADDON', '/nowhere/exopool.node');
    expect(bindingPlaces()).toEqual(['/nowhere/exopool.node']);
    expect(() => loadBinding()).toThrow(/\.\/exopool setup.*\/nowhere\/exopool\.node/);
    expect(() => loadBinding()).toThrow(expect.objectContaining({ code: 'EXOPOOL_NATIVE' }) as Error);
  });

  it('explains a file that is no addon', async () => {
    const { loadBinding } = await fresh();
    const file = path.resolve(import.meta.dirname, '../binding.gyp');
    vi.stubEnv('EXOPOOL_ADDON', file);
    expect(() => loadBinding()).toThrow(file);
  });
});
