import { describe, expect, it, vi } from 'vitest';
import { Memtable, scanBatches, type ScanSources } from '@exopool/native/internal';
import { tombstone, type Entry } from '../format/entry.js';
import { encodeFrame, framePayload } from '../log/log-format.js';
import { memtableEntryOverheadBytes, Memtables } from './memtable.js';

const bytes = (text: string): Buffer => Buffer.from(text);

/** `null` deletes. */
function write(memtables: Memtables, values: Readonly<Record<string, string | null>>): void {
  const entries = Object.entries(values).map(([key, value]): Entry => {
    return { key: bytes(key), value: value === null ? tombstone : bytes(value) };
  });
  memtables.apply(framePayload(encodeFrame(entries)), entries.length);
}

async function valuesOf(sources: ScanSources): Promise<Record<string, string>> {
  const values: Record<string, string> = {};
  for await (const batch of scanBatches(sources, {}, () => undefined)) {
    for (const [key, value] of batch) values[key.toString()] = value.toString();
  }
  return values;
}

describe('Memtables', () => {
  it('reads the newer of two, and has one again after a flush that failed', async () => {
    const memtables = new Memtables();
    write(memtables, { a: '1', b: '1' });
    const frozen = memtables.freeze();
    write(memtables, { a: null, c: '2' });
    expect(memtables.get(bytes('a'))).toBe(tombstone);
    expect(memtables.get(bytes('b'))).toEqual(bytes('1'));
    expect(await valuesOf(memtables.view().sources)).toEqual({ b: '1', c: '2' });
    memtables.thaw();
    expect(memtables.get(bytes('a'))).toBe(tombstone);
    expect(await valuesOf({ memtables: [frozen] })).toEqual({ b: '1', c: '2' });
    expect(memtables.entries).toBe(4);
    memtables.freeze();
    memtables.dropFrozen();
    expect(memtables.entries).toBe(0);
    expect(memtables.bytes).toBe(0);
    expect(memtables.get(bytes('b'))).toBeUndefined();
  });

  it('keeps what was frozen when there is no memory to thaw it', async () => {
    const memtables = new Memtables();
    write(memtables, { a: '1', b: '1' });
    memtables.freeze();
    write(memtables, { a: '2' });
    const absorbing = vi.spyOn(Memtable.prototype, 'absorb').mockImplementation(() => {
      throw new Error('no memory');
    });
    try {
      expect(() => memtables.thaw()).toThrow('no memory');
      expect(() => memtables.freeze()).toThrow('no memory');
    } finally {
      absorbing.mockRestore();
    }
    expect(await valuesOf(memtables.view().sources)).toEqual({ a: '2', b: '1' });
    expect(await valuesOf({ memtables: [memtables.freeze()] })).toEqual({ a: '2', b: '1' });
  });

  it('gives views that nothing changes: no write, no freezing, no thawing, no flush', async () => {
    const memtables = new Memtables();
    write(memtables, { a: '1', b: '1' });
    const first = memtables.view();
    write(memtables, { a: '2', c: '2' });
    memtables.freeze();
    write(memtables, { b: null });
    const second = memtables.view();
    write(memtables, { b: '3', d: '3' });
    const check = async (): Promise<void> => {
      expect(await valuesOf(first.sources)).toEqual({ a: '1', b: '1' });
      expect(await valuesOf(second.sources)).toEqual({ a: '2', c: '2' });
      expect(first.get(bytes('c'))).toBeUndefined();
      expect(second.get(bytes('b'))).toBe(tombstone);
    };
    await check();
    memtables.thaw();
    await check();
    memtables.freeze();
    memtables.dropFrozen();
    await check();
    const fork = second.fork();
    second.release();
    second.release();
    expect(await valuesOf(fork.sources)).toEqual({ a: '2', c: '2' });
    fork.release();
    expect(() => fork.get(bytes('a'))).toThrow(expect.objectContaining({ code: 'EXOPOOL_CLOSED' }));
    expect(first.get(bytes('a'))).toEqual(bytes('1'));
  });

  it('takes about the memory that is reckoned with', () => {
    const memtables = new Memtables();
    const count = 10_000;
    for (let index = 0; index < count; index += 1)
      write(memtables, { [String(index).padStart(8, '0')]: 'value' });
    const expected = count * (13 + memtableEntryOverheadBytes);
    expect(memtables.bytes).toBeGreaterThan(expected * 0.9);
    expect(memtables.bytes).toBeLessThan(expected * 1.1);
  });
});
