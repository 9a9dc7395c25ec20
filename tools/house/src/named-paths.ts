/**
 * Every path in a document or comment must exist: relative to the root, relative to any folder (`market/pricing.ts`),
 * or, as a bare name, anywhere. A foreign file is named with a folder that the repository lacks: `linux/bpf.h`.
 */

const code = 'ts|mts|mjs|cc|hh|h|c|sh|proto|gyp';
/** A path has a folder before its name, or one of these endings. */
const named = new RegExp(
  String.raw`(?<![\w./@<>:$~*{}-])(?:[\w.-]+/)+[\w.-]*\w|(?<![\w./@<>:$~*{}-])[\w-][\w.-]*\.(?:${code})\b`,
  'g',
);
const comment = /(?<=^|\s)\/\*[\s\S]*?\*\/|(?<=^|[\s;{}(),])\/\/.*$/gm;
const url = /\w+:\/\/[^\s)>'"`]+/g;
/** These belong to the kernel, to libbpf and to examples. The last one is the beginning of several names. */
const foreign = new Set([
  'vmlinux.h',
  'bpf_helpers.h',
  'bpf_helper_defs.h',
  'list.c',
  'peek.c',
  'a.b.c',
  'docs/point-reads',
]);
/** Builds make these. */
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

  /** Returns a line for each path that does not exist. */
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
