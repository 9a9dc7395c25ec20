/** Splits an inline command into words: separated by blanks, quoted if they contain blanks, with escapes as in C. */

const [tab, lineFeed, carriageReturn, blank, quote, apostrophe, backslash] = [
  0x09, 0x0a, 0x0d, 0x20, 0x22, 0x27, 0x5c,
];
const escapes = new Map(
  [
    ['n', 0x0a],
    ['r', 0x0d],
    ['t', 0x09],
    ['b', 0x08],
    ['a', 0x07],
  ].map(([letter, byte]) => [String(letter).charCodeAt(0), byte as number]),
);

/** @returns `undefined` if a quote is not closed, or not followed by a blank. */
export function splitInline(line: Buffer): Buffer[] | undefined {
  const words: Buffer[] = [];
  let at = 0;
  for (;;) {
    while (at < line.length && isSpace(line[at]!)) at++;
    if (at >= line.length || line[at] === 0) return words;
    const word = readWord(line, at);
    if (word === undefined) return undefined;
    words.push(word.bytes);
    at = word.end;
  }
}

/** A word may begin without quotes and continue in quotes: a"b c" is one word. */
function readWord(line: Buffer, from: number): { bytes: Buffer; end: number } | undefined {
  const bytes: number[] = [];
  let at = from;
  for (; at < line.length && !endsWord(line[at]!); at++) {
    const byte = line[at]!;
    if (byte !== quote && byte !== apostrophe) {
      bytes.push(byte);
      continue;
    }
    const end = readQuoted(line, at + 1, byte, bytes);
    if (end === undefined || (end < line.length && !isSpace(line[end]!))) return undefined;
    return { bytes: Buffer.from(bytes), end };
  }
  // A zero byte ends the line, as in a C string.
  return { bytes: Buffer.from(bytes), end: line[at] === 0 ? line.length : at };
}

/** @returns the index after the closing quote. */
function readQuoted(line: Buffer, from: number, closing: number, bytes: number[]): number | undefined {
  let at = from;
  while (at < line.length) {
    const byte = line[at]!;
    if (byte === closing) return at + 1;
    const next = line[at + 1];
    if (byte !== backslash || next === undefined) {
      bytes.push(byte);
      at++;
    } else if (closing === apostrophe) {
      if (next === apostrophe) bytes.push(apostrophe);
      else bytes.push(backslash);
      at += next === apostrophe ? 2 : 1;
    } else {
      const hex = /^x([0-9a-f]{2})/i.exec(line.toString('latin1', at + 1, at + 4));
      bytes.push(hex === null ? (escapes.get(next) ?? next) : Number.parseInt(hex[1]!, 16));
      at += hex === null ? 2 : 4;
    }
  }
  return undefined;
}

function endsWord(byte: number): boolean {
  return byte === 0 || byte === blank || byte === tab || byte === lineFeed || byte === carriageReturn;
}

/** The same as isspace() of C. */
function isSpace(byte: number): boolean {
  return byte === blank || (byte >= tab && byte <= carriageReturn);
}
