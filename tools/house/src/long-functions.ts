/** Finds functions of C, C++ and shell that do not fit a screen. The linter does it for TypeScript. */
import { functionLinesMax as linesMax } from '../function-lines.mjs';

/** These lines begin at the left and end with a brace, but begin no function. */
const container =
  /^\s*(namespace|extern|struct|class|enum|union|template|static const|const|typedef|#|\/\/|\*|\})/;

/**
 * Returns a line for each function over the limit. It relies on clang-format's style: a function starts at a line that
 * begins in the first columns and ends with `{`. The function ends at a `}` in the same column.
 */
export function longFunctions(file: string, text: string): string[] {
  const found: string[] = [];
  let first: { line: number; column: number } | undefined;
  for (const [index, line] of text.split('\n').entries()) {
    const column = line.search(/\S/);
    if (first === undefined) {
      if (column >= 0 && column <= 2 && line.endsWith('{') && !container.test(line))
        first = { line: index, column };
    } else if (column === first.column && line[column] === '}') {
      const lines = index - first.line + 1;
      if (lines > linesMax)
        found.push(`${file}:${first.line + 1}: a function of ${lines} lines, at most ${linesMax}: split it`);
      first = undefined;
    }
  }
  return found;
}
