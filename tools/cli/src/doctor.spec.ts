import { describe as suite, expect, it } from 'vitest';
import { describe } from './commands/doctor.js';
import { findPrograms } from './find-programs.js';
import { needsBuild, runExopool } from './testing/run-exopool.js';

suite('doctor', () => {
  it('says why something is off and what would enable it', () => {
    const off = findPrograms('/nowhere').find(({ name }) => name === 'redis-server');
    const text = describe([off!, { name: 'pread', group: 'lookup engine', available: true }]);
    expect(text).toMatch(
      /^off +program +redis-server +not installed: .*; to enable: apt-get install redis-server$/m,
    );
    expect(text).toMatch(/^on +lookup engine +pread$/m);
  });

  it('has a reason for everything that is off', needsBuild, async () => {
    const { status, stdout } = await runExopool(['doctor', '--json']);
    expect(status).toBe(0);
    const { mechanisms } = JSON.parse(stdout) as {
      mechanisms: { name: string; available: boolean; reason?: string }[];
    };
    expect(mechanisms.find(({ name }) => name === 'pread')).toMatchObject({ available: true });
    for (const { available, reason } of mechanisms) if (!available) expect(reason).toMatch(/\S/);
  });
});
