/**
 * Numbers that the application, or a script beside it, writes one a line.
 *
 *   a file   its last line is the value; the writer may replace the file or append to it
 *   a pipe   the p99 of all lines of an epoch is the value
 */
import { close, constants, open, statSync } from 'node:fs';
import { open as openFile } from 'node:fs/promises';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { ExopoolError } from '@exopool/shared';
import { SortedWindow } from '../sorted-window.js';
import type { Direction, PerformanceMetric } from './performance-metric.js';
import { polledMetric } from './polled-metric.js';

/** The last line must lie within so many bytes of the end. */
const lineBytesMax = 4096;
const tail = 0.99;

export function fileMetric(path: string, direction: Direction = 'lower'): PerformanceMetric {
  return polledMetric({
    name: `last line of ${path}`,
    direction,
    defaultSlack: 0,
    read: () => lastNumber(path),
  });
}

/** @throws ExopoolError `EXOPOOL_NOT_FOUND` without a pipe, `EXOPOOL_CONFIG` for another kind of file. */
export function pipeMetric(path: string, direction: Direction = 'lower'): PerformanceMetric {
  checkPipe(path);
  const values = new SortedWindow(Infinity);
  let stream: Socket | undefined;
  let isClosed = false;
  // Open for writing too, so that the pipe stays open between two writers.
  open(path, constants.O_RDWR | constants.O_NONBLOCK, (error, fd) => {
    if (error !== null) return;
    if (isClosed) {
      close(fd);
      return;
    }
    stream = new Socket({ fd, readable: true, writable: false });
    stream.on('error', () => undefined).unref();
    createInterface(stream).on('line', (line) => {
      const value = toNumber(line);
      if (value !== undefined) values.add(0, value);
    });
  });
  return {
    name: `p99 of lines from ${path}`,
    direction,
    defaultSlack: 0,
    endEpoch: () => {
      const value = values.percentile(direction === 'lower' ? tail : 1 - tail);
      values.clear();
      return value;
    },
    close: () => {
      isClosed = true;
      stream?.destroy();
    },
  };
}

function checkPipe(path: string): void {
  const found = statSync(path, { throwIfNoEntry: false });
  if (found?.isFIFO() === true) return;
  const [code, what] =
    found === undefined
      ? (['EXOPOOL_NOT_FOUND', 'no such pipe'] as const)
      : (['EXOPOOL_CONFIG', 'not a pipe'] as const);
  throw new ExopoolError(
    code,
    `pipe:${path}: ${what}; make one with \`mkfifo ${path}\`, or give file:${path}`,
  );
}

async function lastNumber(path: string): Promise<number | undefined> {
  const file = await openFile(path);
  try {
    const { size } = await file.stat();
    const bytes = Buffer.alloc(Math.min(size, lineBytesMax));
    const { bytesRead } = await file.read(bytes, 0, bytes.length, size - bytes.length);
    const lines = bytes.toString('latin1', 0, bytesRead).trimEnd().split('\n');
    return toNumber(lines.at(-1) ?? '');
  } finally {
    await file.close();
  }
}

function toNumber(line: string): number | undefined {
  const value = line.trim() === '' ? Number.NaN : Number(line);
  return Number.isFinite(value) ? value : undefined;
}
