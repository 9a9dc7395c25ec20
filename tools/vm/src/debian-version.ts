/**
 * The order of Debian's version numbers (deb-version(7)), `[epoch:]upstream[-revision]`. They are compared part by
 * part: runs of digits as numbers, the rest as text, in which `~` sorts before everything, even before the end.
 */
export function compareDebianVersions(a: string, b: string): number {
  const [first, second] = [parse(a), parse(b)];
  return (
    first.epoch - second.epoch ||
    comparePart(first.upstream, second.upstream) ||
    comparePart(first.revision, second.revision)
  );
}

function parse(version: string): { epoch: number; upstream: string; revision: string } {
  const colon = version.indexOf(':');
  const rest = version.slice(colon + 1);
  const dash = rest.lastIndexOf('-');
  return {
    epoch: colon < 0 ? 0 : Number(version.slice(0, colon)),
    upstream: dash < 0 ? rest : rest.slice(0, dash),
    revision: dash < 0 ? '' : rest.slice(dash + 1),
  };
}

function comparePart(a: string, b: string): number {
  // Alternating: text, number, text, number, ...
  const [first, second] = [a, b].map((part) => part.split(/(\d+)/)) as [string[], string[]];
  for (let i = 0; i < Math.max(first.length, second.length); i += 1) {
    const [left, right] = [first[i] ?? '', second[i] ?? ''];
    const order = i % 2 === 0 ? compareText(left, right) : Number(left) - Number(right);
    if (order !== 0) return order;
  }
  return 0;
}

function compareText(a: string, b: string): number {
  for (let i = 0; i < Math.max(a.length, b.length); i += 1) {
    const order = weight(a[i]) - weight(b[i]);
    if (order !== 0) return order;
  }
  return 0;
}

/** `~`, then the end, then letters, then everything else. */
function weight(character: string | undefined): number {
  if (character === undefined) return 0;
  if (character === '~') return -1;
  const code = character.codePointAt(0)!;
  return /[A-Za-z]/.test(character) ? code : code + 256;
}
