/**
 * Paths in documents and comments, each of which must exist: relative to the root, to any folder (`market/pricing.ts`),
 * or, as a bare name, anywhere. What is not ours says so by a place that we do not have: `linux/bpf.h`.
 */

const code = 'ts|mts|mjs|cc|hh|h|c|sh|proto|gyp';
/** With a folder before it, or with one of our endings. */
const named = new RegExp(
  String.raw`(?<![\w./@<>:$~*{}-])(?:[\w.-]+/)+[\w.-]*\w|(?<![\w./@<>:$~*{}-])[\w-][\w.-]*\.(?:${code})\b`,
  'g',
);
const comment = /(?<=^|\s)\/\*[\s\S]*?\*\/|(?<=^|[\s;{}(),])\/\/.*$/gm;
const url = /\w+:\/\/[^\s)>'"`]+/g;
/** Of the kernel's headers, of libbpf, and of examples; the last is the beginning of names. */
const foreign = new Set([
  'vmlinux.h',
  'bpf_helpers.h',
  'bpf_helper_defs.h',
  'list.c',
  'peek.c',
  'a.b.c',
  'docs/point-reads',
]);
/** Of builds. */
const made = /(^|\/)(dist|build|out-tsc|generated|node_modules|prebuilds)(\/|$)|\.js$/;

export class NamedPaths {
  readonly #names = new Set<string>();
  readonly #folders = new Set<string>();
  readonly #ends = new Set<string>();

  constructor(files: readonly string[]) {
    for (const file of files) {
      const parts = file.split('/');
      this.#names.add(parts.at(-1)!);
      for (const part of parts.slice(0, -1)) this.#folders.add(part);
      for (let from = 0; from < parts.length; from += 1)
        for (let end = from + 1; end <= parts.length; end += 1)
          this.#ends.add(parts.slice(from, end).join('/'));
    }
  }

  /** A line for each path that is nowhere. */
  dead(file: string, text: string): string[] {
    return prose(file, text).flatMap(([line, words]) =>
      [...words.replace(url, '').matchAll(named)]
        .filter(({ 0: path, index, input }) => !/[*{<$]/.test(input[index + path.length] ?? ''))
        .map(([path]) => path)
        .filter((path) => !this.#exists(path))
        .map((path) => `${file}:${line}: there is no ${path}: correct the path, or take it out`),
    );
  }

  #exists(path: string): boolean {
    if (made.test(path) || foreign.has(path)) return true;
    if (!path.includes('/')) return this.#names.has(path);
    const parts = path.split('/').filter((part) => part !== '.' && part !== '..');
    // `and/or` and `linux/bpf.h`: not ours.
    if (!this.#folders.has(parts[0]!)) return true;
    return this.#ends.has(parts.join('/'));
  }
}

/** Lines of a document, or of the comments in code. */
function prose(file: string, text: string): [line: number, words: string][] {
  if (file.endsWith('.md')) return text.split('\n').map((words, index) => [index + 1, words]);
  return [...text.matchAll(comment)].flatMap(({ 0: words, index }) => {
    const first = text.slice(0, index).split('\n').length;
    return words.split('\n').map((line, offset): [number, string] => [first + offset, line]);
  });
}
