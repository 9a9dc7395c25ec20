/**
 * Finds out whether guests can be tested here, once before the first of their tests (vitest's global set-up). It
 * fetches the kernels and boots one guest. If that fails, the tests are skipped with the reason. Once a guest has
 * booted, every later failure of a guest fails its test.
 */
import type { TestProject } from 'vitest/node';
import { GiB } from '@exopool/shared';
import { cacheFolder } from '../cache-folder.js';
import { obtainKernel } from '../kernel-cache.js';
import { runInGuest } from '../run-in-guest.js';
import type {} from './guest-tests.js';
import { missingPrograms } from './missing-programs.js';

/** Kernels that the tests boot. */
const kernels = ['6.12', '7.2'];
/** Memory for two guests at a time, with QEMU. */
const memoryMinBytes = 5 * GiB;
/** A slow mirror takes a minute for both kernels. */
const fetchTimeoutMs = 180_000;
/** Under emulation a boot takes 20 s, and several times that on a busy machine. It is tried twice. */
const bootTimeoutMs = 150_000;
const bootsMax = 2;

export default async function setUpGuests(project: TestProject): Promise<void> {
  project.provide('whyNoGuests', whatIsMissing() ?? (await whatFails()));
}

function whatIsMissing(): string | undefined {
  if (process.env['EXOPOOL_TEST_VM'] !== '1') return 'guests are tested by: ./exopool test';
  if (process.arch !== 'x64') return `guests are for x64; this machine is ${process.arch}`;
  const missing = missingPrograms(['qemu-system-x86_64', 'busybox', 'depmod']);
  if (missing.length > 0)
    return `not installed: ${missing.join(', ')}; apt-get install qemu-system-x86 busybox-static kmod`;
  return process.availableMemory() < memoryMinBytes ? 'less than 5 GiB of memory is free' : undefined;
}

async function whatFails(): Promise<string | undefined> {
  try {
    const signal = AbortSignal.timeout(fetchTimeoutMs);
    for (const kernel of kernels) await obtainKernel(cacheFolder(), kernel, { signal, progress });
  } catch (error) {
    return `their kernels cannot be had: ${textOf(error)}`;
  }
  let failure: unknown;
  for (let boot = 1; boot <= bootsMax; boot += 1) {
    try {
      await bootGuest();
      return undefined;
    } catch (error) {
      failure = error;
      progress(textOf(error));
    }
  }
  return `none can be booted: ${textOf(failure)}`;
}

async function bootGuest(): Promise<void> {
  const log = (bytes: Buffer): void => progress(bytes.toString());
  await runInGuest({
    kernel: kernels[0]!,
    command: ['true'],
    cwd: '/',
    environment: { PATH: '/usr/sbin:/usr/bin:/sbin:/bin' },
    output: { out: log, err: log },
    signal: AbortSignal.timeout(bootTimeoutMs),
    progress,
  });
}

function progress(text: string): void {
  console.error(`guests: ${text}`);
}

/** The reason in one line, to print after the name of a test. */
function textOf(error: unknown): string {
  return (error instanceof Error ? error.message : String(error)).split('\n')[0]!;
}
