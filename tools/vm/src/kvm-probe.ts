/**
 * Finds out whether guests run on KVM here. It is not enough that /dev/kvm opens: in some virtual machines a guest then
 * hangs at full CPU. So the probe boots a kernel up to its first output, once, and keeps the result in the cache.
 */
import { access, constants, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { release, tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeAnswer, probeFlag } from './guest-scripts.js';
import type { Kernel } from './kernel-cache.js';
import { consoleFile, qemuArguments } from './qemu-arguments.js';
import { QemuProcess } from './qemu-process.js';

/** A guest on KVM boots in 1 to 2 s. */
const probeTimeoutMs = 15_000;

/** The cached result. It is valid as long as the host's kernel is the same. */
interface Answer {
  readonly hostKernel: string;
  readonly works: boolean;
}

export async function kvmWorks(cache: string, kernel: Kernel, signal?: AbortSignal): Promise<boolean> {
  const readable = await access('/dev/kvm', constants.R_OK | constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!readable) return false;
  const file = join(cache, 'kvm.json');
  const known = await readFile(file, 'utf8').then(parseAnswer, () => undefined);
  if (known?.hostKernel === release()) return known.works;
  const works = await boots(kernel, signal);
  await writeFile(file, JSON.stringify({ hostKernel: release(), works } satisfies Answer));
  return works;
}

export function parseAnswer(text: string): Answer | undefined {
  try {
    const value = JSON.parse(text) as Partial<Answer> | null;
    if (typeof value?.hostKernel !== 'string' || typeof value.works !== 'boolean') return undefined;
    return { hostKernel: value.hostKernel, works: value.works };
  } catch {
    return undefined;
  }
}

async function boots(kernel: Kernel, signal: AbortSignal | undefined): Promise<boolean> {
  const folder = await mkdtemp(join(tmpdir(), 'exopool-kvm-'));
  try {
    const hardware = { accelerator: 'kvm', cpus: 1, memoryMiB: 512, countInstructions: false } as const;
    const qemu = await QemuProcess.start(qemuArguments(kernel, folder, hardware, probeFlag), folder, {});
    const timer = setTimeout(() => qemu.kill(), probeTimeoutMs);
    const stop = (): void => qemu.kill();
    signal?.addEventListener('abort', stop);
    await qemu.ended;
    signal?.removeEventListener('abort', stop);
    clearTimeout(timer);
    signal?.throwIfAborted();
    return (await readFile(join(folder, consoleFile), 'utf8').catch(() => '')).includes(probeAnswer);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
