/**
 * Generates `src/contracts.ts`: TypeScript's view of the headers of C, C++ and BPF programs.
 *
 * The names are read from the headers; the compiler gives their values, by a program that includes the same headers.
 * The file is in the repository, so it can be read before a build; `contracts.spec.ts` compares.
 *
 *   node scripts/generate-contracts.mjs            writes the file
 *   node scripts/generate-contracts.mjs --check    exit status 1 if the file would change
 *   --root FOLDER                                  of another copy of `include/` and `addon/`
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { headers } from './contract-headers.mjs';

const packageFolder = fileURLToPath(new URL('..', import.meta.url));
const output = path.join(packageFolder, 'src', 'contracts.ts');
const command = 'node packages/native/scripts/generate-contracts.mjs';
/** As prettier prints the rest. */
const lineMax = 110;

// --- Parsing a header ---

const withoutComments = (text) => text.replace(/\/\*[\s\S]*?\*\//g, ' ').replace(/\/\/[^\n]*/g, ' ');

/** Names with a value; those with arguments, and the header's guard, have none. */
function definesOf(text, prefix) {
  return [...text.matchAll(/^#define (\w+)[ \t]+\S/gm)]
    .map(([, name]) => name)
    .filter((name) => name.startsWith(prefix));
}

function bodyOf(text, kind, name) {
  const found = new RegExp(`\\b${kind} ${name}\\b[^;{]*\\{([^}]*)\\}`).exec(text);
  if (found === null) throw new Error(`there is no ${kind} ${name}`);
  return found[1];
}

/** An enum's members: their names, and the compiler's expressions for them. */
function membersOf(text, name) {
  const isScoped = new RegExp(`\\benum class ${name}\\b`).test(text);
  const body = bodyOf(text, isScoped ? 'enum class' : 'enum', name);
  const members = [...body.matchAll(/(?:^|,)\s*(\w+)/g)].map(([, member]) => member);
  return members.map((member) => ({ member, value: isScoped ? `${name}::${member}` : member }));
}

function fieldsOf(text, name) {
  return [...bodyOf(text, 'struct', name).matchAll(/(\w+)\s*(?:\[[^\]]*\])?;/g)].map(([, field]) => field);
}

// --- Names in TypeScript ---

/** The words of kIoUringBpf and of EXO_END_IO. */
function wordsOf(name) {
  const words =
    name.includes('_') || name === name.toUpperCase()
      ? name.split('_')
      : name.split(/(?<=[a-z0-9])(?=[A-Z])/);
  return words.map((word) => word.toLowerCase());
}

function nameOf(member, prefix, { called = {}, kebab = false }) {
  const [first, ...rest] = wordsOf(member.slice(prefix.length));
  if (called[member] !== undefined) return called[member];
  return kebab
    ? [first, ...rest].join('-')
    : first + rest.map((word) => word[0].toUpperCase() + word.slice(1)).join('');
}

const constant = (name, value) =>
  `export const ${name} = ${typeof value === 'string' ? `'${value}'` : value};`;

const object = (name, entries) => listing(`export const ${name} = { `, entries, ' } as const;');

function listing(opening, items, closing) {
  const line = `${opening}${items.join(', ')}${closing}`;
  if (line.length <= lineMax) return line;
  return `${opening.trimEnd()}\n${items.map((item) => `  ${item},\n`).join('')}${closing.trimStart()}`;
}

/** For each kind: the expressions to evaluate, and the lines made of their values. */
const kinds = {
  defines({ prefix, only, not = [] }, text) {
    const names = only ?? definesOf(text, prefix).filter((name) => !not.includes(name));
    return { asks: names, lines: (values) => names.map((name, at) => constant(name, values[at])) };
  },
  constants(pairs) {
    return {
      asks: pairs.map(([, expression]) => expression),
      lines: (values) => pairs.map(([name], at) => constant(name, values[at])),
    };
  },
  members({ enum: name }, text) {
    const members = membersOf(text, name);
    return {
      asks: members.map(({ value }) => value),
      lines: (values) => members.map(({ member }, at) => constant(member, values[at])),
    };
  },
  numbers(what, text) {
    const members = membersOf(text, what.enum);
    const entry = ({ member }, value) => `${nameOf(member, what.prefix, what)}: ${value}`;
    return {
      asks: members.map(({ value }) => value),
      lines: (values) => [
        `/** \`${what.enum}\`. */`,
        object(
          what.as,
          members.map((each, at) => entry(each, values[at])),
        ),
      ],
    };
  },
  names(what, text) {
    const members = Object.entries(what.enums).flatMap(([name, prefix]) =>
      membersOf(text, name).map((each) => ({ ...each, name: nameOf(each.member, prefix, what) })),
    );
    const end = members.findIndex(({ value }) => value === what.count);
    const named = end < 0 ? members : members.slice(0, end);
    const title = Object.keys(what.enums)
      .map((name) => `\`${name}\``)
      .join(' and ');
    return {
      asks: [what.count, ...named.map(({ value }) => value)],
      lines: ([count, ...values]) => {
        const isDense = count === values.length && values.every((value, at) => value === at);
        if (!isDense)
          throw new Error(`${title} is not 0 to ${what.count} - 1, each number once and in order`);
        const names = named.map(({ name }) => `'${name}'`);
        return [
          `/** ${title}: names by number. */`,
          listing(`export const ${what.as} = [`, names, '] as const;'),
        ];
      },
    };
  },
  struct({ struct, as, words = 1 }, text) {
    const fields = fieldsOf(text, struct);
    return {
      asks: [`sizeof(${struct})`, ...fields.map((field) => `offsetof(${struct}, ${field})`)],
      lines: ([size, ...offsets]) => [
        `/** Where the fields of \`${struct}\` are, and its size: ${words === 1 ? 'bytes' : `words of ${words} bytes`}. */`,
        object(
          as,
          fields.map((field, at) => `${field}: ${offsets[at] / words}`),
        ),
        constant(`${as}${words === 1 ? 'Bytes' : 'Words'}`, size / words),
      ],
    };
  },
};

// --- Values ---

/** The value of each expression, a number or a text. */
function evaluate(root, expressions) {
  const folder = mkdtempSync(path.join(tmpdir(), 'exopool-contracts-'));
  try {
    const source = path.join(folder, 'contracts.cc');
    const program = path.join(folder, 'contracts');
    const includes = headers.map(({ header }) => `#include "${header.replace(/^\w+\//, '')}"`);
    const text = [
      ...includes,
      '#include <cstddef>\n#include <cstdio>\nusing namespace exopool;',
      'template <typename T> void Say(T value) { printf(",%lld", static_cast<long long>(value)); }',
      'void Say(const char *text) { printf(",\\"%s\\"", text); }',
      'int main() {\n  printf("[0");',
      ...expressions.map((expression) => `  Say(${expression});`),
      '  printf("]");\n}',
    ];
    writeFileSync(source, text.join('\n'));
    const folders = ['include', 'addon'].map((name) => `-I${path.join(root, name)}`);
    run(process.env.CXX ?? 'c++', ['-std=c++17', ...folders, source, '-o', program]);
    return JSON.parse(run(program, [])).slice(1);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function run(program, words) {
  const { status, error, stdout, stderr } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} failed: ${error?.message ?? stderr}`);
  return stdout;
}

/** The text of the file, of the headers in `root`. */
function contracts(root) {
  const parts = headers.map(({ header, contents }) => {
    const text = withoutComments(readFileSync(path.join(root, header), 'utf8'));
    return { header, pieces: contents.map(([kind, what]) => kinds[kind](what, text)) };
  });
  const values = evaluate(
    root,
    parts.flatMap(({ pieces }) => pieces.flatMap(({ asks }) => asks)),
  );
  const write = ({ asks, lines }) => lines(values.splice(0, asks.length)).join('\n');
  const head = `/**\n * Made of the headers of this package by \`${command}\`:\n * change those, and run it again.\n */\n`;
  return [
    head,
    ...parts.map(({ header, pieces }) => `// ${header}\n\n${pieces.map(write).join('\n\n')}\n`),
  ].join('\n');
}

const { values: options } = parseArgs({ options: { check: { type: 'boolean' }, root: { type: 'string' } } });
const text = contracts(options.root ?? packageFolder);
if (options.check !== true) {
  writeFileSync(output, text);
} else if (readFileSync(output, 'utf8') !== text) {
  console.error(`src/contracts.ts is not what the headers say; run: ${command}`);
  process.exitCode = 1;
}
