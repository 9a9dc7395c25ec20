/** Redis's patterns: `*`, `?`, `[abc]`, `[^a-z]`, and `\` before a character that is taken literally. */

/**
 * On a mismatch it backtracks to the last star only. That suffices for a match, and a hostile pattern cannot take
 * exponential time: the steps are at most the length of the pattern times that of the text.
 */
export function matchesGlob(pattern: string, text: string, ignoreCase = false): boolean {
  const [glob, subject] = ignoreCase ? [pattern.toLowerCase(), text.toLowerCase()] : [pattern, text];
  let [at, position] = [0, 0];
  let star = -1;
  let starPosition = 0;
  while (position < subject.length) {
    const end = at < glob.length && glob[at] !== '*' ? matchOne(glob, at, subject.charCodeAt(position)) : -1;
    if (glob[at] === '*') {
      star = at++;
      starPosition = position;
    } else if (end >= 0) {
      at = end;
      position++;
    } else if (star >= 0) {
      at = star + 1;
      position = ++starPosition;
    } else {
      return false;
    }
  }
  while (glob[at] === '*') at++;
  return at >= glob.length;
}

/** @returns the index after the pattern's element at `at` if it matches the character, else -1. */
function matchOne(glob: string, at: number, code: number): number {
  const element = glob[at];
  if (element === '?') return at + 1;
  if (element === '[') return matchClass(glob, at + 1, code);
  const literal = element === '\\' && at + 1 < glob.length ? at + 1 : at;
  return glob.charCodeAt(literal) === code ? literal + 1 : -1;
}

/** An unclosed class ends with the pattern. */
function matchClass(glob: string, from: number, code: number): number {
  const negated = glob[from] === '^';
  let at = negated ? from + 1 : from;
  let found = false;
  for (; at < glob.length && glob[at] !== ']'; at++) {
    if (glob[at] === '\\' && at + 1 < glob.length) {
      at++;
      found ||= glob.charCodeAt(at) === code;
    } else if (glob[at + 1] === '-' && at + 2 < glob.length) {
      const [a, b] = [glob.charCodeAt(at), glob.charCodeAt(at + 2)];
      found ||= code >= Math.min(a, b) && code <= Math.max(a, b);
      at += 2;
    } else {
      found ||= glob.charCodeAt(at) === code;
    }
  }
  return found === negated ? -1 : Math.min(at + 1, glob.length);
}
