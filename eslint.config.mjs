import eslint from '@eslint/js';
import nx from '@nx/eslint-plugin';
import { builtinRules } from 'eslint/use-at-your-own-risk';
import tseslint from 'typescript-eslint';
import { functionLinesMax } from './tools/house/function-lines.mjs';

/** Imports go one way: shared <- native <- {bpf-storage, memtrade} <- tools. All tests may use the house's helpers. */
const arrows = {
  house: [],
  shared: ['house'],
  native: ['house', 'shared'],
  'bpf-storage': ['house', 'shared', 'native'],
  memtrade: ['house', 'shared', 'native'],
  tools: ['house', 'shared', 'native', 'bpf-storage', 'memtrade', 'tools'],
};
const boundaries = Object.entries(arrows).map(([from, to]) => ({
  sourceTag: `scope:${from}`,
  onlyDependOnLibsWithTags: to.map((name) => `scope:${name}`),
}));

/** `max-lines-per-function`, but not of the callbacks of `describe`, which hold the tests of a file. */
const functionLines = builtinRules.get('max-lines-per-function');
const isDescribe = ({ parent }) =>
  parent.type === 'CallExpression' && /^describe\b/.test(sourceOf(parent.callee));
const sourceOf = (node) => node.name ?? sourceOf(node.object ?? node.callee ?? node.tag);
const house = {
  rules: {
    'function-lines': {
      ...functionLines,
      create(context) {
        const report = (finding) => isDescribe(finding.node) || context.report(finding);
        return functionLines.create(Object.create(context, { report: { value: report } }));
      },
    },
  },
};

export default tseslint.config(
  {
    ignores: [
      '**/dist',
      '**/build',
      '**/out-tsc',
      '**/generated',
      'packages/*/api',
      '.nx',
      '.exopool',
      '**/node_modules',
      '**/*.d.mts',
    ],
  },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    plugins: { '@nx': nx, house },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allow: [
            '../../tools/vitest-project.mjs',
            '../../../tools/readme-snippets.mjs',
            '../../readme-snippets.mjs',
          ],
          enforceBuildableLibDependency: true,
          depConstraints: boundaries,
        },
      ],
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      '@typescript-eslint/consistent-type-imports': 'error',
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      eqeqeq: 'error',
      'house/function-lines': ['error', { max: functionLinesMax, skipComments: true, skipBlankLines: true }],
    },
  },
  {
    files: ['**/*.mjs', '**/*.js', '**/vitest.config.ts'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly' } },
  },
);
