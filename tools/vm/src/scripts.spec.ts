import { spawnSync } from 'node:child_process';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { cacheFolder } from './cache-folder.js';
import { explain, guestError } from './guest.js';
import { initScript, quote, superviseScript } from './guest-scripts.js';
import { newestCached } from './kernel-cache.js';
import { parseAnswer } from './kvm-probe.js';
import { qemuArguments } from './qemu-arguments.js';
import { runInGuest } from './run-in-guest.js';

const kernel = { release: '7.2', image: '/k/image', initramfs: '/k/initramfs', modulesFolder: '/k/modules' };

describe('scripts of the guest', () => {
  it('quote any word for the shell', () => {
    fc.assert(
      fc.property(
        fc.string().filter((word) => !word.includes('\0')),
        (word) => {
          const { stdout } = spawnSync('sh', ['-c', `printf %s ${quote(word)}`], { encoding: 'utf8' });
          expect(stdout).toBe(word);
        },
      ),
      { numRuns: 50 },
    );
  });

  it('are understood by a shell', () => {
    const run = { token: 't', command: ["it's"], cwd: '/a b', environment: { A: "'" }, nullBlockMiB: 8 };
    const scripts = [
      initScript(['/modules/a.ko']),
      superviseScript({ ...run, release: 'r', modulesFolder: '/m' }),
    ];
    for (const script of scripts) {
      const { status, stderr } = spawnSync('sh', ['-n'], { input: script, encoding: 'utf8' });
      expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    }
  });
});

describe('the command line of QEMU', () => {
  const hardware = { accelerator: 'tcg', cpus: 1, memoryMiB: 512, countInstructions: false } as const;

  it('counts instructions and tells the kernel that time is exact', () => {
    const words = qemuArguments(kernel, '/f', { ...hardware, countInstructions: true });
    expect(words.join(' ')).toMatch(/-accel tcg,thread=single -cpu max -icount shift=0 .*tsc=reliable/);
    expect(qemuArguments(kernel, '/f', hardware).join(' ')).not.toMatch(/icount|tsc/);
  });

  it('has the NVMe device without an event fd, and paths with commas whole', () => {
    const words = qemuArguments(kernel, '/a,b', {
      ...hardware,
      nvme: { file: '/a,b/x', blockBytes: 4096 },
    });
    expect(words).toContain('file=/a,,b/x,if=none,id=nvme,format=raw,cache=unsafe');
    expect(words).toContain('nvme,id=controller,serial=exopool,ioeventfd=off');
    expect(words.join(' ')).toContain('path=/a,,b,mount_tag=exchange');
  });
});

describe('what went wrong', () => {
  it('is found in the log', () => {
    expect(explain('x\n[1] Kernel panic - not syncing: no init\n', true)).toMatch(/panicked \(no init\)/);
    expect(explain('exopool: cannot mount the overlay\n', false)).toMatch(
      /gave up: cannot mount the overlay/,
    );
    expect(explain('', true)).toMatch(/did not boot within 300 s/);
    const failure = { kind: 'failed', reason: 'it died', started: false, log: '' } as const;
    expect(guestError(failure).message).toBe(
      'it died, twice before the command could start; the end of its log is above',
    );
  });

  it('is told before anything is fetched', async () => {
    const options = {
      kernel: '7.2',
      command: ['true'],
      cwd: '/',
      environment: {},
      output: { out: () => undefined, err: () => undefined },
    };
    for (const wrong of [{ command: [] }, { cpus: 0 }, { cpus: 2, icount: true }, { memoryBytes: 1 }])
      await expect(runInGuest({ ...options, ...wrong })).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
  });
});

describe('the cache', () => {
  it('is where XDG says', () => {
    expect(cacheFolder({ XDG_CACHE_HOME: '/c' })).toBe('/c/exopool');
    expect(cacheFolder({ XDG_CACHE_HOME: 'relative' })).toMatch(/\/\.cache\/exopool$/);
  });

  it('offers its newest kernel of a series when there is no archive', () => {
    const releases = ['6.12.9+deb13-amd64', '6.12.118+deb13-amd64', '6.1.0-56-amd64', '.new-x'];
    expect(newestCached(releases, '6.12')).toBe('6.12.118+deb13-amd64');
    expect(newestCached(releases, '6.1')).toBe('6.1.0-56-amd64');
    expect(newestCached(releases, '7.2')).toBeUndefined();
  });

  it('does not believe a damaged answer about KVM', () => {
    expect(parseAnswer('{"hostKernel":"6","works":true}')).toEqual({ hostKernel: '6', works: true });
    for (const text of ['', 'null', '{}', '{"hostKernel":1,"works":true}', '[1'])
      expect(parseAnswer(text)).toBeUndefined();
  });
});
