import { readFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import { needPeers, peerPackages } from './peers.js';

it('names the versions that this workspace measures', () => {
  const manifest = JSON.parse(readFileSync(new URL('../package.json', import.meta.url), 'utf8')) as {
    dependencies: Record<string, string>;
  };
  const installed = Object.entries(manifest.dependencies).map((entry) => entry.join('@'));
  expect(installed).toEqual(expect.arrayContaining([...peerPackages]));
  expect(() => needPeers({ stores: true })).not.toThrow();
});
