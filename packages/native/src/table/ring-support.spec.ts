import { spawnSync } from 'node:child_process';
import { constants } from 'node:os';
import path from 'node:path';
import { needs } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import { explainRingRefusal } from './ring-support.js';

const { EPERM, ENOSYS, ENOMEM, EMFILE, EIO } = constants.errno;

describe('a refused ring', () => {
  it.each([
    [EPERM, 2, '6.12.1', /io_uring_disabled=2 forbids.*everybody/, /sysctl/],
    [EPERM, 1, '6.12.1', /io_uring_disabled=1 forbids.*this user/, /sysctl/],
    [EPERM, 0, '6.12.1', /seccomp/, /io_uring_setup/],
    [EPERM, undefined, '5.10.0-30-amd64', /seccomp/, /io_uring_setup/],
    [ENOSYS, undefined, '6.1.0-18-amd64', /seccomp/, /io_uring_setup/],
    [ENOSYS, undefined, '5.4.0', /Linux 5.4.0 has no io_uring/, /Linux 5.6/],
    [ENOSYS, undefined, '4.19.0', /Linux 4.19.0 has no io_uring/, /Linux 5.6/],
    [ENOMEM, undefined, '5.10.0', /locked memory/, /ulimit -l/],
    [EMFILE, 0, '6.12.1', /too many files/, /ulimit -n/],
    [EIO, 0, '6.12.1', /fails with EIO/, /Linux 5.6/],
  ] as const)('errno %d, io_uring_disabled %s, Linux %s', (error, disabled, kernel, reason, fix) => {
    const refusal = explainRingRefusal({ error, disabled, kernel });
    expect(refusal.reason).toMatch(reason);
    expect(refusal.fix).toMatch(fix);
  });

  /** Runs the rest of its arguments under a seccomp filter that answers io_uring_setup with EPERM. */
  const forbidRings = `
    my %prctl = (x86_64 => 157, aarch64 => 167);
    chomp(my $machine = \`uname -m\`);
    my $filter = pack '(S C C L)4', 0x20, 0, 0, 0, 0x15, 0, 1, 425, 0x06, 0, 0, 0x50001, 0x06, 0, 0, 0x7fff0000;
    syscall($prctl{$machine}, 38, 1, 0, 0, 0) == 0 or die;
    syscall($prctl{$machine}, 22, 2, pack 'S x6 P', 4, $filter) == 0 or die;
    exec @ARGV;`;
  const hasPerl = spawnSync('perl', ['-e', '']).status === 0 && ['x64', 'arm64'].includes(process.arch);

  it(
    'by a seccomp filter turns the engine off and nothing else',
    needs('perl', hasPerl ? undefined : 'needs perl on x64 or arm64'),
    () => {
      const library = path.resolve(import.meta.dirname, '../../dist/index.js');
      const script = `
        import { tableEngineSupport } from ${JSON.stringify(library)};
        console.log(JSON.stringify(tableEngineSupport()));`;
      const node = [process.execPath, '--input-type=module', '-e', script];
      const run = spawnSync('perl', ['-e', forbidRings, ...node], { encoding: 'utf8' });
      const support = JSON.parse(run.stdout) as { engine: string; available: boolean; reason?: string }[];
      expect(support.find(({ engine }) => engine === 'io-uring')).toMatchObject({
        available: false,
        reason: expect.stringContaining('seccomp') as string,
      });
      expect(support.find(({ engine }) => engine === 'pread')).toMatchObject({ available: true });
    },
  );
});
