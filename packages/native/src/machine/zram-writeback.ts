/**
 * Writeback of zram: idle pages go to a backing device, so that compressed memory holds the pages that may be needed.
 *
 *   page swapped out ─▶ compressed memory ── untouched for a while: `idle` ─▶ backing device
 *                            ▲ touched: comes back cheaply                        │ touched: a disk read
 *
 * With CONFIG_ZRAM_TRACK_ENTRY_ACTIME the kernel knows how long a page has been idle. Without it there is one mark: it
 * is set on all pages, an access clears it, and pages that still have it a period later are written back.
 */
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { toExopoolError } from '@exopool/shared';
import { writeInIdleTime } from './idle-write.js';

const pageBytes = 4096;

/** Traffic of a backing device. */
export interface ZramBacking {
  /** On the backing device now. */
  readonly storedBytes: number;
  /** Read back since it was set up: pages that were needed after all. */
  readonly readBytes: number;
  readonly writtenBytes: number;
}

const block = (sysfs: string, id: number, file: string): string => join(sysfs, 'block', `zram${id}`, file);

/** Whether zram has writeback. Looks at any zram device: the kernel has it for all or none. */
export function hasZramWriteback(sysfs = '/sys'): boolean {
  const folder = join(sysfs, 'block');
  const device = existsSync(folder) ? readdirSync(folder).find((name) => /^zram\d+$/.test(name)) : undefined;
  return device !== undefined && existsSync(join(folder, device, 'backing_dev'));
}

/** Sets the backing device, before the zram device has a size. @param device a block device; its content is lost. */
export function setZramBacking(id: number, device: string, sysfs = '/sys'): void {
  write(block(sysfs, id, 'backing_dev'), device);
}

/** Reads the traffic of the backing device; `undefined` when there is none. */
export function readZramBacking(id: number, sysfs = '/sys'): ZramBacking | undefined {
  const file = block(sysfs, id, 'bd_stat');
  if (!existsSync(file)) return undefined;
  const [stored = 0, read = 0, written = 0] = numbers(file);
  return { storedBytes: stored * pageBytes, readBytes: read * pageBytes, writtenBytes: written * pageBytes };
}

/** Bytes read from the zram device, from compressed memory and from its backing device. */
export function readZramReadBytes(id: number, sysfs = '/sys'): number {
  const sectors = numbers(block(sysfs, id, 'stat'))[2] ?? 0;
  return sectors * 512;
}

/**
 * Moves idle pages of one zram device to its backing device.
 * @example
 * ```ts
 * import { ZramWriteback } from '@exopool/native/internal';
 *
 * const writeback = new ZramWriteback(0, 600); // /dev/zram0, pages idle for ten minutes
 * console.log(await writeback.turn(Date.now()));
 * ```
 */
export class ZramWriteback {
  readonly #id: number;
  readonly #idleSeconds: number;
  readonly #sysfs: string;
  #hasAges = true;
  #markedMs: number | undefined;

  constructor(id: number, idleSeconds: number, sysfs = '/sys') {
    this.#id = id;
    this.#idleSeconds = idleSeconds;
    this.#sysfs = sysfs;
  }

  /** Moves pages that have been idle for long enough, in idle time. @returns whether the kernel was asked to. */
  async turn(nowMs: number): Promise<boolean> {
    if (this.#hasAges) {
      try {
        write(block(this.#sysfs, this.#id, 'idle'), String(Math.ceil(this.#idleSeconds)));
        return await this.#writeIdle();
      } catch (error) {
        if ((error as { cause?: NodeJS.ErrnoException }).cause?.code !== 'EINVAL') throw error;
        this.#hasAges = false;
      }
    }
    if (this.#markedMs !== undefined && nowMs - this.#markedMs < this.#idleSeconds * 1000) return false;
    const isMarked = this.#markedMs !== undefined;
    if (isMarked) await this.#writeIdle();
    write(block(this.#sysfs, this.#id, 'idle'), 'all');
    this.#markedMs = nowMs;
    return isMarked;
  }

  async #writeIdle(): Promise<boolean> {
    await writeInIdleTime(block(this.#sysfs, this.#id, 'writeback'), 'idle');
    return true;
  }
}

function numbers(file: string): number[] {
  return readFileSync(file, 'utf8').trim().split(/\s+/).map(Number);
}

function write(file: string, text: string): void {
  try {
    writeFileSync(file, text);
  } catch (error) {
    throw toExopoolError(error, `cannot write ${file} (root is needed)`);
  }
}
