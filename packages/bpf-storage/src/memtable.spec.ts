import { describe, expect, it } from 'vitest';
import { tombstone, type Cursor } from './cursor.js';
import { Memtable, memtableEntryOverheadBytes, Memtables } from './memtable.js';

const bytes = (text: string): Buffer => Buffer.from(text);

function keysOf(cursor: Cursor): string[] {
  const keys: string[] = [];
  for (void cursor.next(); cursor.entry !== undefined; void cursor.next())
    keys.push(cursor.entry.key.toString());
  return keys;
}

function memtableOf(...keys: string[]): Memtable {
  const memtable = new Memtable();
  for (const key of keys) memtable.set(bytes(key), bytes('value'));
  return memtable;
}

describe('Memtable', () => {
  it('accounts for keys, values and overhead, also when a value is replaced or deleted', () => {
    const memtable = memtableOf('key');
    expect(memtable.bytes).toBe(3 + 5 + memtableEntryOverheadBytes);
    memtable.set(bytes('key'), bytes('v'));
    expect(memtable.bytes).toBe(3 + 1 + memtableEntryOverheadBytes);
    memtable.set(bytes('key'), tombstone);
    expect(memtable.bytes).toBe(3 + memtableEntryOverheadBytes);
    expect(memtable.entries).toBe(1);
    expect(memtable.get(bytes('key'))).toBe(tombstone);
  });

  it('orders keys bytewise, not as text', () => {
    const memtable = new Memtable();
    for (const key of [[0xff], [0x7f], [0x80], [0x7f, 0]]) memtable.set(Buffer.from(key), tombstone);
    const cursor = memtable.cursor({});
    const keys: string[] = [];
    for (void cursor.next(); cursor.entry !== undefined; void cursor.next())
      keys.push(cursor.entry.key.toString('hex'));
    expect(keys).toEqual(['7f', '7f00', '80', 'ff']);
  });

  it.each([
    [{}, 'a b c d'],
    [{ lower: { key: bytes('b'), inclusive: true } }, 'b c d'],
    [{ lower: { key: bytes('b'), inclusive: false } }, 'c d'],
    [{ upper: { key: bytes('c'), inclusive: true }, reverse: true }, 'c b a'],
    [{ upper: { key: bytes('c'), inclusive: false }, reverse: true }, 'b a'],
    [{ lower: { key: bytes('aa'), inclusive: false }, upper: { key: bytes('c'), inclusive: false } }, 'b'],
    [{ lower: { key: bytes('d'), inclusive: true }, upper: { key: bytes('a'), inclusive: true } }, ''],
  ])('walks the range %j', (range, expected) => {
    expect(keysOf(memtableOf('c', 'a', 'd', 'b').cursor(range)).join(' ')).toBe(expected);
  });

  it('gives cursors that later writes do not change', () => {
    const memtable = memtableOf('a', 'b');
    const cursor = memtable.cursor({});
    memtable.set(bytes('aa'), bytes('late'));
    expect(keysOf(cursor)).toEqual(['a', 'b']);
  });

  it('takes no writes while frozen', () => {
    const memtable = memtableOf('a');
    memtable.freeze();
    expect(() => memtable.set(bytes('b'), tombstone)).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_INTERNAL' }),
    );
  });
});

describe('Memtables', () => {
  it('reads the newer of two, and has one again after a flush that failed', () => {
    const memtables = new Memtables();
    memtables.active.set(bytes('a'), bytes('1'));
    memtables.active.set(bytes('b'), bytes('1'));
    const frozen = memtables.freeze();
    const cursor = frozen.cursor({});
    memtables.active.set(bytes('a'), tombstone);
    expect(memtables.get(bytes('a'))).toBe(tombstone);
    expect(memtables.get(bytes('b'))?.toString()).toBe('1');
    expect(memtables.snapshot().map(({ entries }) => entries)).toEqual([1, 2]);
    memtables.thaw();
    expect(memtables.active.entries).toBe(2);
    expect(memtables.get(bytes('a'))).toBe(tombstone);
    expect(keysOf(cursor)).toEqual(['a', 'b']);
    memtables.freeze();
    memtables.dropFrozen();
    expect(memtables.entries).toBe(0);
    expect(memtables.bytes).toBe(0);
  });
});
