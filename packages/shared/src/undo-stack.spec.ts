import { describe, expect, it } from 'vitest';
import { ExopoolError } from './errors.js';
import { UndoStack } from './undo-stack.js';

const failing = (code: 'EXOPOOL_IO' | 'EXOPOOL_TIMEOUT', message: string) => (): void => {
  throw new ExopoolError(code, message);
};

/** Resolves a turn later, so that a step which is not awaited would be overtaken. */
const later = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('UndoStack', () => {
  it('runs steps in reverse, one after the other', async () => {
    const undo = new UndoStack();
    const order: string[] = [];
    undo.push(() => order.push('first'));
    undo.push(
      async () => {
        await later();
        order.push('second');
      },
      () => order.push('third'),
    );
    await undo.undo();
    expect(order).toEqual(['third', 'second', 'first']);
  });

  it('goes on after steps that throw or reject, and reports all of them', async () => {
    const undo = new UndoStack();
    const order: string[] = [];
    undo.push(() => order.push('first'));
    undo.push(failing('EXOPOOL_IO', 'the disk is gone'));
    undo.push(() => Promise.reject(new ExopoolError('EXOPOOL_TIMEOUT', 'the broker did not answer')));
    const failure = await undo.undo().catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(ExopoolError);
    expect(failure).toMatchObject({
      code: 'EXOPOOL_TIMEOUT',
      message: 'the broker did not answer; also: the disk is gone',
      cause: { errors: [{ code: 'EXOPOOL_TIMEOUT' }, { code: 'EXOPOOL_IO' }] },
    });
    expect(order).toEqual(['first']);
  });

  it('reports a single failure as it is, and any other error as one of ours', async () => {
    const single = new ExopoolError('EXOPOOL_IO', 'the disk is gone');
    const undo = new UndoStack();
    undo.push(() => Promise.reject(single));
    await expect(undo.undo()).rejects.toBe(single);

    const foreign = new UndoStack();
    foreign.push(() => Promise.reject(Object.assign(new Error('no room'), { code: 'ENOSPC' })));
    await expect(foreign.undo()).rejects.toMatchObject({ code: 'EXOPOOL_NO_SPACE' });
  });

  it('runs each step once, however often it is called', async () => {
    const undo = new UndoStack();
    let runs = 0;
    undo.push(async () => {
      await later();
      runs += 1;
    });
    await Promise.all([undo.undo(), undo.undo()]);
    await undo.undo();
    expect(runs).toBe(1);

    const broken = new UndoStack();
    broken.push(failing('EXOPOOL_IO', 'the disk is gone'));
    await expect(broken.undo()).rejects.toMatchObject({ code: 'EXOPOOL_IO' });
    await expect(broken.undo()).rejects.toMatchObject({ code: 'EXOPOOL_IO' });
  });

  it('takes no step once undoing has begun', async () => {
    const undo = new UndoStack();
    await undo.undo();
    expect(() => undo.push(later)).toThrow(expect.objectContaining({ code: 'EXOPOOL_CLOSED' }) as Error);
  });

  it('after a failed start says first why it failed', async () => {
    const reason = new ExopoolError('EXOPOOL_TIMEOUT', 'the broker did not answer');
    const undone = new UndoStack();
    await expect(undone.undoAfter(reason)).rejects.toBe(reason);

    const stuck = new UndoStack();
    stuck.push(failing('EXOPOOL_IO', 'the disk is gone'));
    await expect(stuck.undoAfter(reason)).rejects.toMatchObject({
      code: 'EXOPOOL_TIMEOUT',
      message: 'the broker did not answer; also: the disk is gone',
    });
  });
});
