/**
 * The measured process in a guest: uses more memory than the limit of its cgroup, and visits its pages. Prints
 * `filled`, waits for a line, then prints the time of the visits as JSON.
 */
import { once } from 'node:events';
import { appendFileSync } from 'node:fs';
import { seededRandom } from '@exopool/demo/random';
import { zipf } from '@exopool/demo/zipf';

export interface HogArgument {
  readonly group: string;
  readonly bytes: number;
  readonly visits: number;
}

export interface HogAnswer {
  readonly seconds: number;
  /** Major page faults during the visits. */
  readonly faults: number;
  /** Pages with wrong content. */
  readonly wrong: number;
}

const pageBytes = 4096;
/** Bytes that are checked per page. */
const stride = 64;

const { group, bytes, visits } = JSON.parse(process.argv[2] ?? '{}') as HogArgument;
appendFileSync(`${group}/cgroup.procs`, String(process.pid));
const pages = bytes / pageBytes;
const memory = Buffer.alloc(bytes);
const draw = zipf(pages, seededRandom(1));
const places = Uint32Array.from({ length: 2 * visits }, draw);
// Data that does not compress: one word per cache line, all different.
for (let page = 0; page < pages; page += 1)
  for (let at = 0; at < pageBytes; at += stride)
    memory.writeUInt32LE(wordOf(page, at), page * pageBytes + at);
console.log('filled');
await once(process.stdin, 'data');
let wrong = visit(places.subarray(0, visits));
const [startMs, startFaults] = [performance.now(), faultsSoFar()];
wrong += visit(places.subarray(visits));
const seconds = (performance.now() - startMs) / 1000;
const answer: HogAnswer = { seconds, faults: faultsSoFar() - startFaults, wrong };
console.log(JSON.stringify(answer));
process.exit();

function faultsSoFar(): number {
  return process.resourceUsage().majorPageFault;
}

function wordOf(page: number, at: number): number {
  return (Math.imul(page * pageBytes + at, 0x9e3779b1) ^ page) >>> 0;
}

/** Reads each page and writes every fourth one, since a written page must be swapped out again. */
function visit(some: Uint32Array): number {
  let wrongs = 0;
  some.forEach((page, index) => {
    const at = (index * stride) % pageBytes;
    if (memory.readUInt32LE(page * pageBytes + at) !== wordOf(page, at)) wrongs += 1;
    if (index % 4 === 0) memory.writeUInt32LE(index, page * pageBytes + 4);
  });
  return wrongs;
}
