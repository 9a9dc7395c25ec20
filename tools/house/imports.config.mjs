/**
 * Which file may import which, for dependency-cruiser; imports of types count. Between packages the module boundaries
 * of eslint.config.mjs hold.
 */

/** Floors of each package, the lowest first; its other files are above them. Imports go down, or stay. */
const floors = {
  'packages/bpf-storage/src': [
    'base',
    'format',
    'log',
    'tables',
    'traversal',
    'verify',
    'read',
    'compaction',
    'write',
  ],
  'packages/native/src': ['contracts.ts', 'load-binding.ts', 'machine', 'slab', 'table', 'cache', 'nbd'],
  'packages/memtrade/src': ['protocol', 'broker', 'producer', 'consumer', 'cache'],
};

const tests = '[.](spec|bench)[.]ts$|/testing/';

function arrowsOf([root, names]) {
  const pathOf = (name) => `^${root}/${name}${name.endsWith('.ts') ? '$' : '/'}`;
  return names.map((name, index) => ({
    name: `imports-of-${name}-go-down`,
    severity: 'error',
    comment: `${root}: ${names.join(' < ')} < its own files. Move what both need to a lower floor (${import.meta.filename}).`,
    from: { path: pathOf(name), pathNot: tests },
    to: { path: `^${root}/`, pathNot: [...names.slice(0, index + 1).map(pathOf), '/generated/'] },
  }));
}

export default {
  forbidden: [
    {
      name: 'no-circle',
      severity: 'error',
      comment: 'Take one of these imports away: what two files need of each other belongs into a third.',
      from: {},
      to: { circular: true },
    },
    ...Object.entries(floors).flatMap(arrowsOf),
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '/(dist|build|out-tsc)/' },
    tsPreCompilationDeps: true,
  },
};
