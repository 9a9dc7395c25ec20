import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const fresh = async () => {
  vi.resetModules();
  return import('./load-binding.js');
};

afterEach(() => vi.unstubAllEnvs());

describe('loadBinding', () => {
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

describe('where the addon is looked for', () => {
  const prebuilt = path.join('prebuilds', `${process.platform}-${process.arch}`, 'exopool.node');
  const built = path.join('build', 'Release', 'exopool.node');
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'exopool-places-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));

  const placesWith = async (...files: string[]): Promise<string[]> => {
    const { bindingPlaces } = await fresh();
    for (const file of files) {
      mkdirSync(path.dirname(path.join(folder, file)), { recursive: true });
      writeFileSync(path.join(folder, file), '');
    }
    return bindingPlaces(folder).map((place) => path.relative(folder, place));
  };

  it('is the prebuilt one of a package', async () => {
    expect(await placesWith()).toEqual([prebuilt]);
    expect(await placesWith(prebuilt)).toEqual([prebuilt]);
  });

  it('is only the one that was built here, however old the prebuilt one is', async () => {
    expect(await placesWith(prebuilt, built)).toEqual([built]);
  });

  it('is built from source by one command, wherever the package lies', async () => {
    const { buildCommand, fixHere } = await fresh();
    expect(buildCommand(folder)).toBe(`npm --prefix ${folder} run build-from-source`);
    mkdirSync(path.join(folder, 'src'));
    expect(buildCommand(folder)).toBe('./exopool setup');
    expect(fixHere('apt-get install x && ./exopool setup')).toBe('apt-get install x && ./exopool setup');
  });
});
