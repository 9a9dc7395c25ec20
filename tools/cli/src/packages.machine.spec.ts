/** What strangers get: the tarballs, on a machine that has nothing but Node.js. */
import { execFile } from 'node:child_process';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needs } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { snippetsOf } from '../../readme-snippets.mjs';
import { BareMachine, nodeReleases, whyNoBareMachine } from './testing/bare-machine.js';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../../..', import.meta.url));
const folders = [
  'packages/shared',
  'packages/native',
  'packages/bpf-storage',
  'packages/memtrade',
  'tools/exopool',
];
const names = ['@exopool/shared', '@exopool/native', '@exopool/bpf-storage', '@exopool/memtrade', 'exopool'];
/** Of npm and a base system on a slow disk, beside nothing else. */
const timeoutMs = 600_000;
const programIn = (name: string): string => join(root, 'node_modules', '.bin', name);

describe(
  'the published packages',
  { ...needs('debootstrap', whyNoBareMachine()), timeout: timeoutMs },
  () => {
    let packed: string;
    let tarballs: string[];
    let machine: BareMachine;

    beforeAll(async () => {
      packed = await mkdtemp(join(tmpdir(), 'exopool-packed-'));
      for (const folder of folders)
        await run('npm', ['pack', '--silent', '--pack-destination', packed], { cwd: join(root, folder) });
      tarballs = (await readdir(packed)).map((name) => join(packed, name));
      machine = await BareMachine.make();
      await machine.copy(packed, 'tarballs');
      await machine.write('package.json', '{ "type": "module", "private": true }');
      await machine.run('npm install --no-audit --no-fund ./tarballs/*.tgz typescript@6.0.3 @types/node@20');
    }, timeoutMs);

    afterAll(async () => {
      // Undefined when the set-up failed.
      await (machine as BareMachine | undefined)?.remove();
      await rm(packed, { recursive: true });
    }, timeoutMs);

    it('hold a licence and a README, and nothing that is for tests', async () => {
      expect(tarballs).toHaveLength(folders.length);
      for (const tarball of tarballs) {
        const files = (await run('tar', ['-tf', tarball])).stdout.split('\n');
        expect(files).toEqual(expect.arrayContaining(['package/LICENSE', 'package/README.md']));
        expect(
          files.filter((file) =>
            /\.spec\.|\.bench\.|\.fixture\.|\/testing\/|\.tsbuildinfo|\.d\.ts\.map/.test(file),
          ),
        ).toEqual([]);
      }
    });

    it('are what publint and @arethetypeswrong/cli expect', async () => {
      for (const tarball of tarballs) {
        const { stdout } = await run(programIn('publint'), [tarball, '--strict']);
        expect(stdout).toMatch(/All good!/);
        await run(programIn('attw'), [tarball, '--profile', 'esm-only']);
      }
    });

    it('need no compiler and no install script', async () => {
      await expect(machine.run('command -v cc c++ make python3')).rejects.toThrow();
      for (const release of nodeReleases)
        expect(
          await machine.run(
            `node -e "import('@exopool/native').then((n) => console.log(n.engineFindings()[0].engine))"`,
            release,
          ),
        ).toBe('pread\n');
    });

    it('run the snippets of their READMEs with every Node.js that is promised', async () => {
      const readmes = ['README.md', ...folders.map((folder) => `${folder}/README.md`)];
      const blocks = (await Promise.all(readmes.map((file) => snippetsOf(join(root, file))))).flat();
      const scripts = blocks.filter(({ language }) => language === 'js');
      expect(scripts.length).toBeGreaterThan(0);
      for (const [i, { code }] of scripts.entries()) {
        await machine.write(`snippet-${i}.mjs`, code);
        for (const release of nodeReleases)
          await machine.run(
            `mkdir at && cd at && node ../snippet-${i}.mjs; status=$?; cd .. && rm -r at && exit $status`,
            release,
          );
      }
    });

    it.each([
      ['node16', 'node16'],
      ['esnext', 'bundler'],
    ])('have types for module %s, resolution %s', async (module, resolution) => {
      const imports = [...names, '@exopool/native/internal', '@exopool/shared/errors'];
      const lines = imports.map((name, i) => `import * as it${i} from '${name}';\nvoid it${i};`);
      await machine.write('types.ts', lines.join('\n'));
      const options = `--noEmit --strict --target es2023 --types node --module ${module} --moduleResolution ${resolution}`;
      await machine.run(`npx tsc --ignoreConfig ${options} types.ts`);
    });

    it('bring the command exopool', async () => {
      await machine.write(
        'fruit.jsonl',
        '{"key":"apple","value":"red"}\n{"key":"banana","value":"yellow"}\n',
      );
      await machine.run('npx exopool store load --from fruit.jsonl ./fruit');
      for (const release of nodeReleases)
        expect(await machine.run('npx exopool store get ./fruit banana', release)).toContain('yellow');
      expect(await machine.run('npx exopool doctor')).toMatch(/on +lookup engine +pread/);
      expect(await machine.run('npx exopool --help')).not.toMatch(/^ {2}(setup|test)\b/m);
      expect(
        await machine.run('npm install --global ./tarballs/*.tgz >/dev/null 2>&1 && exopool --version'),
      ).toBe('0.2.0\n');
    });

    it('show the whole of it in a demo', async () => {
      const started = performance.now();
      await machine.run('npx exopool demo --seconds 20 --headless --json demo.json');
      const { checks } = JSON.parse(await machine.run('cat demo.json')) as {
        checks: Record<string, boolean>;
      };
      expect(checks).toMatchObject({ reads_remote: true, values_correct: true, leases_granted: true });
      expect(Object.values(checks)).not.toContain(false);
      expect(performance.now() - started).toBeLessThan(180_000);
    });
  },
);
