import eslint from '@eslint/js';
import nx from '@nx/eslint-plugin';
import tseslint from 'typescript-eslint';

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

export default tseslint.config(
  {
    ignores: [
      '**/dist',
      '**/build',
      '**/out-tsc',
      '**/generated',
      '.nx',
      '.exopool',
      '**/node_modules',
      '**/*.d.mts',
    ],
  },
  eslint.configs.recommended,
  tseslint.configs.strictTypeChecked,
  {
    plugins: { '@nx': nx },
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@nx/enforce-module-boundaries': [
        'error',
        {
          allow: ['../../tools/vitest-project.mjs', '../../../tools/readme-snippets.mjs'],
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
    },
  },
  {
    files: ['**/*.mjs', '**/*.js', '**/vitest.config.ts'],
    extends: [tseslint.configs.disableTypeChecked],
    languageOptions: { globals: { console: 'readonly', process: 'readonly', URL: 'readonly' } },
  },
);
