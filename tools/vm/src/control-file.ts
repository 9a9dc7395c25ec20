/** Parses Debian's control format, as `apt-cache show` prints it: stanzas of `Field: value` between empty lines. */
export type Stanza = ReadonlyMap<string, string>;

export function parseControl(text: string): Stanza[] {
  return text
    .split(/\n{2,}/)
    .map(parseStanza)
    .filter((stanza) => stanza.size > 0);
}

function parseStanza(text: string): Stanza {
  const fields = new Map<string, string>();
  let name = '';
  for (const line of text.split('\n')) {
    const match = /^([!-9;-~]+):[ \t]*(.*)$/.exec(line);
    if (match !== null) {
      name = match[1]!;
      fields.set(name, match[2]!);
    } else if (/^[ \t]/.test(line) && fields.has(name)) {
      fields.set(name, `${fields.get(name)!}\n${line.trim()}`);
    }
  }
  return fields;
}
