import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { skipWithout } from '@exopool/house';
import { publicKeyBytes, seedBytes } from '@exopool/shared';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import * as contracts from './contracts.js';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));

/** What the generator says against the file as it is; nothing when it has nothing to say. */
function check(root: string): string {
  const words = ['scripts/generate-contracts.mjs', '--check', '--root', root];
  const { status, stderr } = spawnSync(process.execPath, words, { cwd: packageFolder, encoding: 'utf8' });
  return status === 0 ? '' : stderr;
}

beforeEach((ctx) => {
  const compiler = process.env['CXX'] ?? 'c++';
  if (spawnSync(compiler, ['--version']).status !== 0) skipWithout(ctx, 'compiler', `no ${compiler}`);
});

it('are what the headers say', () => {
  expect(check(packageFolder)).toBe('');
});

it('have the lengths of keys that @exopool/shared checks', () => {
  expect([publicKeyBytes, seedBytes]).toEqual([contracts.SLAB_KEY_BYTES, contracts.SLAB_KEY_BYTES]);
});

describe('a header that was changed alone is found', () => {
  let copy: string;
  beforeAll(() => {
    copy = mkdtempSync(path.join(tmpdir(), 'exopool-headers-'));
    for (const folder of ['include', 'addon'])
      cpSync(path.join(packageFolder, folder), path.join(copy, folder), { recursive: true });
  });
  afterAll(() => rmSync(copy, { recursive: true, force: true }));

  const outdated = /contracts\.ts is not what the headers say; run: node .*generate-contracts\.mjs/;
  it.each([
    ['a constant', 'include/slab_protocol.h', '#define SLAB_VERSION 2', '#define SLAB_VERSION 3', outdated],
    ['an engine', 'addon/table/engine.hh', 'kDriver }', 'kDriver, kNext }', /not 0 to kEngines - 1/],
    ['a field', 'include/slab_protocol.h', 'uint32_t serial;', 'uint32_t other, serial;', /ticket/],
  ])('%s', (_, header, from, to, complaint) => {
    const file = path.join(copy, header);
    const text = readFileSync(file, 'utf8');
    expect(text).toContain(from);
    writeFileSync(file, text.replace(from, to));
    try {
      expect(check(copy)).toMatch(complaint);
    } finally {
      writeFileSync(file, text);
    }
  });
});
