import { CommanderError } from 'commander';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ExopoolError } from '@exopool/shared';
import { escapeBytes } from './escape-bytes.js';
import { flatten } from './flatten.js';
import { describeError, exitStatusOf } from './report-error.js';
import { textTable } from './text-table.js';

describe('escapeBytes', () => {
  it('keeps text and escapes what a terminal would act on', () => {
    expect(escapeBytes(Buffer.from('zürich'))).toBe('zürich');
    expect(escapeBytes(Buffer.from('a\tb\n\u001b[2J\\'))).toBe('a\\tb\\n\\x1b[2J\\\\');
    expect(escapeBytes(Buffer.from([0x61, 0xff, 0x00]))).toBe('a\\xff\\x00');
    expect(escapeBytes(Buffer.from('abcdef'), 3)).toBe('abc…');
  });

  it('never lets a control character through', () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        // eslint-disable-next-line no-control-regex
        expect(escapeBytes(Buffer.from(bytes))).not.toMatch(/[\x00-\x1f\x7f-\x9f]/);
      }),
    );
  });
});

describe('tables', () => {
  it('are aligned', () => {
    expect(
      textTable([
        ['a', 'x'],
        ['long', 'y'],
      ]),
    ).toBe('a     x\nlong  y');
    expect(flatten({ a: { b: 1234 }, c: 'x', d: 0.5 })).toEqual([
      ['a.b', '1,234'],
      ['c', 'x'],
      ['d', '0.500'],
    ]);
  });
});

describe('errors', () => {
  it('are one line each, with code and exit status', () => {
    const failed = new ExopoolError('EXOPOOL_IO', 'it broke\n  badly');
    expect(describeError(failed, false)).toBe('exopool: EXOPOOL_IO: it broke badly');
    expect(exitStatusOf(failed)).toBe(1);
    const usage = new CommanderError(
      1,
      'commander.unknownOption',
      "error: unknown option '--x'\n(Did you mean --y?)",
    );
    expect(describeError(usage, false)).toBe(
      "exopool: EXOPOOL_USAGE: unknown option '--x' (Did you mean --y?)",
    );
    expect(exitStatusOf(usage)).toBe(2);
    expect(exitStatusOf(new CommanderError(0, 'commander.version', ''))).toBe(0);
    expect(describeError('what?', false)).toBe('exopool: EXOPOOL_INTERNAL: what?');
  });

  it('have a stack only when asked', () => {
    expect(describeError(new Error('x'), true)).toMatch(/EXOPOOL_INTERNAL: x\n.*\n? +at /s);
  });
});
