/** Finds functions of C, C++ and shell that do not fit a screen. The linter does it for TypeScript. */
import { functionLinesMax as linesMax } from '../function-lines.mjs';
import { isC } from './formatting.js';

/** No head continues after these: a statement, the end of a block, a label, a comment, a directive, an empty line. */
const endsHead = /[;}:\\]$|\*\/$|^\s*(#|\*|\/\*)|^\s*$/;

/** These heads begin a type or a namespace. They have no parameters. */
const container =
  /^\s*(template <.*> )?(typedef |static |const )*(namespace|struct|class|enum|union)\b[^(]*\{$/;
const isFunction = (head: string): boolean =>
  head.includes('(') && !/[=,(]\s*\{$/.test(head) && !container.test(head);

interface Head {
  /** From 0. */
  readonly line: number;
  readonly column: number;
  readonly text: string;
}

/**
 * Returns a line for each function over the limit. It relies on clang-format's style: the head of a function has one
 * line or more, and its last line ends with `{`. The function ends at a `}` in the column of its first line.
 */
export function longFunctions(file: string, text: string): string[] {
  const found: string[] = [];
  let head: Head | undefined;
  let open: Head | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const column = line.search(/\S/);
    if (open !== undefined) {
      if (column !== open.column || line[column] !== '}') continue;
      const lines = index - open.line + 1;
      if (lines > linesMax)
        found.push(`${file}:${open.line + 1}: a function of ${lines} lines, at most ${linesMax}: split it`);
      open = undefined;
      continue;
    }
    const code = isC(file) ? line.replace(/(^|\s)\/\/.*/, '').trimEnd() : line;
    head =
      head === undefined ? { line: index, column, text: code } : { ...head, text: `${head.text} ${code}` };
    if (code.endsWith('{') && isFunction(head.text)) open = head;
    if (code.endsWith('{') || !isC(file) || endsHead.test(code)) head = undefined;
  }
  return found;
}
