/** Where a process has private memory: what it allocated, without mapped files and shared memory. */
import { readFileSync } from 'node:fs';
import type { AddressRange } from './page-out.js';

/** Lines are `start-end rights offset device inode name`; see proc(5). Areas without a gap between them are merged. */
export function parsePrivateAreas(text: string): AddressRange[] {
  const areas: { start: number; end: number }[] = [];
  for (const [, from = '', to = ''] of text.matchAll(/^([0-9a-f]+)-([0-9a-f]+) rw.p \S+ \S+ 0\b/gm)) {
    const [start, end] = [Number.parseInt(from, 16), Number.parseInt(to, 16)];
    const last = areas.at(-1);
    if (last?.end === start) last.end = end;
    else areas.push({ start, end });
  }
  return areas;
}

/** Private areas in order of address; none when there is no such process, or this user may not look at it. */
export function privateAreas(pid: number): AddressRange[] {
  try {
    return parsePrivateAreas(readFileSync(`/proc/${pid}/maps`, 'latin1'));
  } catch {
    return [];
  }
}
