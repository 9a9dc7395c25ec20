import { describe, expect, it } from 'vitest';
import { ExopoolError, toExopoolError } from './errors.js';

describe('toExopoolError', () => {
  it('keeps a typed error as it is', () => {
    const error = new ExopoolError('EXOPOOL_CORRUPT', 'bad page');
    expect(toExopoolError(error, 'context')).toBe(error);
  });

  it.each([
    ['ENOENT', 'EXOPOOL_NOT_FOUND'],
    ['ENOSPC', 'EXOPOOL_NO_SPACE'],
    ['EROFS', 'EXOPOOL_PERMISSION'],
    ['EADDRINUSE', 'EXOPOOL_PORT_IN_USE'],
    ['EBADF', 'EXOPOOL_IO'],
    ['ERR_ASSERTION', 'EXOPOOL_INTERNAL'],
  ])('maps %s to %s and keeps the cause', (system, code) => {
    const thrown = Object.assign(new Error('it failed'), { code: system });
    const error = toExopoolError(thrown, 'cannot open /x');
    expect(error).toMatchObject({ code, message: 'cannot open /x: it failed', cause: thrown });
  });

  it('says what to do when there are too many open files', () => {
    const thrown = Object.assign(new Error('EMFILE: too many open files'), { code: 'EMFILE' });
    const error = toExopoolError(thrown, 'cannot open /x');
    expect(error.code).toBe('EXOPOOL_IO');
    expect(error.message).toMatch(/^cannot open \/x: EMFILE: .*ulimit -n/);
  });

  it('turns anything that was thrown into an error', () => {
    expect(toExopoolError('plain text')).toMatchObject({ code: 'EXOPOOL_INTERNAL', message: 'plain text' });
    expect(toExopoolError(undefined)).toMatchObject({ code: 'EXOPOOL_INTERNAL' });
  });

  it('exits with 2 for usage and configuration, else with 1', () => {
    expect(new ExopoolError('EXOPOOL_USAGE', '').exitStatus).toBe(2);
    expect(new ExopoolError('EXOPOOL_CONFIG', '').exitStatus).toBe(2);
    expect(new ExopoolError('EXOPOOL_NO_SPACE', '').exitStatus).toBe(1);
  });
});
