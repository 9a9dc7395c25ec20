import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { includeFindings, nativeSources } from '../scripts/check-includes.mjs';

const sources = (files: Record<string, string>): Map<string, string> => new Map(Object.entries(files));

describe('includes of the native code', () => {
  it('go down only, without circles, and know JavaScript in door/ alone', () => {
    expect(includeFindings(nativeSources(path.resolve(import.meta.dirname, '..')))).toEqual([]);
  });

  it('are refused upward, in a circle, and of napi.h', () => {
    const upward = sources({
      'table/a.cc': '#include "engines/b.hh"\n',
      'engines/b.hh': '#include <cstdint>\n',
    });
    expect(includeFindings(upward)).toEqual(['table/a.cc includes engines/b.hh, which is not below']);
    const circle = sources({
      'base/a.hh': '',
      'base/a.cc': '#include "base/b.hh"\n',
      'base/b.hh': '',
      'base/b.cc': '#include "base/b.hh"\n#include "base/a.hh"\n',
    });
    expect(includeFindings(circle)).toEqual(['circle: base/a -> base/b -> base/a']);
    expect(includeFindings(sources({ 'slab/a.hh': '#include <napi.h>\n' }))).toEqual([
      'slab/a.hh includes napi.h, which is for door/',
    ]);
    expect(includeFindings(sources({ 'attic/a.hh': '' }))).toEqual([
      'attic/a.hh lies in a folder that has no place in the order',
    ]);
  });
});
