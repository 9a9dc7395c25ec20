import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { needs } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { guestTimeoutMs, runScript, whyNoGuests } from './testing/guest-tests.js';

const reason = whyNoGuests();
let folder: string;

beforeAll(() => {
  folder = mkdtempSync(path.join(tmpdir(), "exopool test, with 'words' "));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('a guest', needs('guests', reason), () => {
  it(
    'runs a command with the files of the host and devices of its own',
    { timeout: guestTimeoutMs },
    async () => {
      const bytes = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7) % 256));
      writeFileSync(path.join(folder, 'bytes'), bytes);
      const script = `uname -r >&2; cat bytes; echo changed >bytes; cat bytes >&2
      [ -b /dev/nvme0n1 ] && [ -b /dev/nullb0 ] || exit 9
      cat /sys/block/nvme0n1/queue/logical_block_size >&2; printf %s "$WORDS" >&2
      sleep 1000 & exit 42`;
      const result = await runScript('6.12', script, {
        cwd: folder,
        nvmeBytes: 64 << 20,
        nvmeBlockBytes: 4096,
        nullBlockBytes: 16 << 20,
        environment: { PATH: process.env['PATH']!, WORDS: "it's $HOME\n" },
      });
      expect(result.err).toMatch(/^6\.12\.[^\n]+\nchanged\n4096\nit's \$HOME\n$/);
      expect(result.status).toBe(42);
      expect(result.out.equals(bytes)).toBe(true);
    },
  );

  it('that panics is reported with its log', { timeout: guestTimeoutMs }, async () => {
    const run = runScript('7.2', 'echo c >/proc/sysrq-trigger; sleep 60', { cwd: folder });
    await expect(run).rejects.toMatchObject({
      code: 'EXOPOOL_GUEST',
      message: expect.stringMatching(/panicked \(sysrq triggered crash\), while the command ran/) as string,
    });
  });

  it('ends at once when it is told to, and leaves nothing behind', { timeout: guestTimeoutMs }, async () => {
    // Its own parent folder, since guests that run at the same time have their folders in the usual one.
    const temporary = mkdtempSync(path.join(folder, 'tmp-'));
    vi.stubEnv('TMPDIR', temporary);
    const controller = new AbortController();
    let seen: string[] = [];
    const run = runScript('6.12', 'echo started; sleep 1000', {
      cwd: folder,
      signal: controller.signal,
      output: {
        out: () => {
          seen = readdirSync(temporary);
          controller.abort(new Error('told to'));
        },
        err: () => undefined,
      },
    }).finally(() => vi.unstubAllEnvs());
    await expect(run).rejects.toThrow('told to');
    expect(seen).toEqual([expect.stringMatching(/^exopool-vm-/)]);
    expect(readdirSync(temporary)).toEqual([]);
  });

  it('of a kernel that the archive does not have is refused', { timeout: guestTimeoutMs }, async () => {
    await expect(runScript('5.99', 'true')).rejects.toMatchObject({
      code: 'EXOPOOL_NOT_FOUND',
      message: expect.stringMatching(/there is no kernel "5.99"; the archive has 6\.1, 6\.12, /) as string,
    });
  });
});
