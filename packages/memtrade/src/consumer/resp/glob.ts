/** Redis's patterns: `*`, `?`, `[abc]`, `[^a-z]`, `\` before a character that stands for itself. */

/**
 * Goes back to the last star only, which is enough for a match and keeps hostile patterns from taking exponential
 * time: at most pattern times text steps.
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

/** @returns where the pattern goes on when its element at `at` matches the character, else -1. */
function matchOne(glob: string, at: number, code: number): number {
  const element = glob[at];
  if (element === '?') return at + 1;
  if (element === '[') return matchClass(glob, at + 1, code);
  const literal = element === '\\' && at + 1 < glob.length ? at + 1 : at;
  return glob.charCodeAt(literal) === code ? literal + 1 : -1;
}

/** A class that is not closed ends with the pattern. */
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
