/** Escapes bytes for a terminal: UTF-8 text stays; bytes that could confuse a terminal or a parser become `\xNN`. */

// Control characters, the backslash, and the replacement character of bytes that are not UTF-8.
// eslint-disable-next-line no-control-regex
const unsafe = /[\x00-\x1f\x7f-\x9f\\\u2028\u2029\ufffd]/u;

export function escapeBytes(bytes: Buffer, bytesMax = Infinity): string {
  const shown = bytes.subarray(0, Math.min(bytes.length, bytesMax));
  const text = shown.toString('utf8');
  const escaped = unsafe.test(text) ? escapeEach(shown) : text;
  return bytes.length > shown.length ? `${escaped}…` : escaped;
}

function escapeEach(bytes: Buffer): string {
  let text = '';
  for (const character of bytes.toString('utf8')) {
    if (character === '\ufffd') return escapeAscii(bytes);
    text += unsafe.test(character) ? escapeAscii(Buffer.from(character)) : character;
  }
  return text;
}

function escapeAscii(bytes: Buffer): string {
  const names: Readonly<Record<number, string>> = { 0x09: '\\t', 0x0a: '\\n', 0x0d: '\\r', 0x5c: '\\\\' };
  return Array.from(bytes, (byte) => {
    const printable = byte >= 0x20 && byte < 0x7f && byte !== 0x5c;
    return printable
      ? String.fromCharCode(byte)
      : (names[byte] ?? `\\x${byte.toString(16).padStart(2, '0')}`);
  }).join('');
}
