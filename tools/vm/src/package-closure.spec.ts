import { expect, it } from 'vitest';
import { parseControl, type Stanza } from './control-file.js';
import { dependencyNames, packageClosure } from './package-closure.js';

const index = parseControl(`Package: pahole
Version: 1.24-4
Depends: libold

Package: pahole
Version: 1.32-1
Depends: libdwarves1 (= 1.32-1), libc6 (>= 2.38), python3 | python2

Package: libdwarves1
Version: 1.32-1
Depends: libc6 (>= 2.38), pahole

Package: libc6
Version: 2.42-1
Pre-Depends: libgcc-s1

Package: libgcc-s1
Version: 15-1
`);

const show = (names: readonly string[]): Promise<Stanza[]> =>
  Promise.resolve(index.filter((stanza) => names.includes(stanza.get('Package')!)));

it('takes the first of alternatives, without versions and architectures', () => {
  expect(dependencyNames('libc6:any (>= 2.38), gcc | clang, ')).toEqual(['libc6', 'gcc']);
  expect(dependencyNames('')).toEqual([]);
});

it('follows what the newest versions need, once each, as far as wanted', async () => {
  const closure = await packageClosure(['pahole'], show, (name) => name !== 'python3');
  expect(closure.map(({ name, version }) => `${name}=${version}`).sort()).toEqual([
    'libc6=2.42-1',
    'libdwarves1=1.32-1',
    'libgcc-s1=15-1',
    'pahole=1.32-1',
  ]);
});
