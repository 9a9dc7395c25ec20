import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as format from './format.js';

const header = readFileSync(new URL('../../../native/include/table_format.h', import.meta.url), 'utf8');
const fieldBytes: Readonly<Record<string, number>> = { __u8: 1, __u16: 2, __u32: 4, __u64: 8 };

/** Every number the header gives a name to: its #defines, and the members of its enums. */
function constantsOfHeader(): Map<string, number | string> {
  const constants = new Map<string, number | string>();
  for (const [, name, text] of header.matchAll(/^#define (EXO_\w+) +("\w+"|[^/\n]+)/gm)) {
    const number = /^\(?(\d+)u?(?: << (\d+)\))?$/.exec(text!.trim());
    if (number !== null) constants.set(name!, Number(number[1]) * 2 ** Number(number[2] ?? 0));
    else if (text!.startsWith('"')) constants.set(name!, text!.slice(1, -1));
  }
  for (const [, name, value] of header.matchAll(/\b(EXO_\w+) = (\d+)/g)) constants.set(name!, Number(value));
  return constants;
}

/** Offsets of a struct's fields, laid out as a C compiler does, and its size. */
function layoutOfHeader(name: string): { offsets: Map<string, number>; size: number } {
  const body = new RegExp(`struct ${name} \\{([^}]*)\\}`).exec(header)![1]!;
  const offsets = new Map<string, number>();
  let at = 0;
  let alignment = 1;
  for (const [, type, field, count] of body.matchAll(/^\s*(__u\d+) (\w+)(?:\[(\d+)\])?;/gm)) {
    const bytes = fieldBytes[type!]!;
    at = Math.ceil(at / bytes) * bytes;
    alignment = Math.max(alignment, bytes);
    offsets.set(field!, at);
    at += bytes * Number(count ?? 1);
  }
  return { offsets, size: Math.ceil(at / alignment) * alignment };
}

describe('format', () => {
  it('agrees with every constant of table_format.h', () => {
    const constants = constantsOfHeader();
    expect(constants.size).toBe(14);
    for (const [name, value] of constants) {
      expect([name, (format as Record<string, unknown>)[name]]).toEqual([name, value]);
    }
  });

  it.each([
    ['exo_table_header', format.tableHeader, 104],
    ['exo_page_header', format.pageHeader, format.pageHeaderBytes],
    ['exo_slot', format.slot, format.slotBytes],
    ['exo_leaf_cell', format.leafCell, format.leafCellBytes],
    ['exo_interior_cell', {}, format.interiorCellBytes],
    ['exo_value_ref', format.valueRef, format.valueRefBytes],
  ])('agrees with the fields of struct %s', (name, fields, size) => {
    const layout = layoutOfHeader(name);
    expect(layout.size).toBe(size);
    for (const [field, offset] of Object.entries(fields)) {
      expect([field, offset]).toEqual([field, layout.offsets.get(field)]);
    }
  });

  it('pads a short suffix with zeroes in its head', () => {
    expect(format.suffixHead(Buffer.from('abcdef'), 1, 6)).toBe(0x62636465);
    expect(format.suffixHead(Buffer.from('abcdef'), 4, 6)).toBe(0x65660000);
    expect(format.suffixHead(Buffer.from('abcdef'), 6, 6)).toBe(0);
  });

  it('writes 64-bit integers that it reads back', () => {
    const bytes = Buffer.alloc(8);
    for (const value of [0, 1, 2 ** 32 - 1, 2 ** 32, Number.MAX_SAFE_INTEGER]) {
      format.writeUint64(bytes, value, 0);
      expect(format.readUint64(bytes, 0)).toBe(value);
      expect(Number(bytes.readBigUInt64LE())).toBe(value);
    }
  });
});
