/**
 * The reference scan: it walks a table's entries in order, in either direction, and reads leaves ahead.
 *
 * The interior pages name the next leaves, so these are read before they are needed. One read fetches leaves that lie
 * side by side in the file; nearly all do, because they were written in key order. The first run is one page, and each
 * further run is twice as long, as in the kernel's read-ahead: ten entries cost one leaf, a long scan few large reads.
 *
 * Stores scan in native code (see native's `table-scan.ts`). This scan is for tests and for tables without a store.
 *
 *   interior   [ 5 6 7 8 | 11 12 13 | 20 ...
 *   runs       [5] [6 7] [8] [11 12 13] ...     two in flight while the caller uses a third
 */
import { throwIfAborted } from '../base/abort.js';
import { EXO_PAGE_SIZE } from '../format/format.js';
import { checkPage, PageView } from '../format/page-view.js';
import { pageContext, pageOfRun, readValue, readView, type PageSource } from './table-reader.js';
import { tombstone, type Entry } from '../format/entry.js';
import type { KeyRange } from '../format/key-range.js';

/** The most pages of one read: with 128 KiB a disk is near its full rate, and the memory does not matter. */
const runPagesMax = 32;
/** Runs in flight: one being decoded, one on its way. */
const runsAhead = 2;
/** Bytes of values outside of the leaves that one batch holds. */
const batchBytesMax = 1024 * 1024;

/** Leaves side by side in the file, in the order of travel. */
type Run = readonly number[];

/**
 * Iterates over the entries of `range`, tombstones included, in batches. Values are parts of larger buffers: copy those
 * that you keep.
 * @throws ExopoolError `EXOPOOL_CORRUPT`, `EXOPOOL_IO`, `EXOPOOL_ABORTED`, `EXOPOOL_CLOSED`.
 */
export async function* scanTable(
  source: PageSource,
  range: KeyRange,
  signal?: AbortSignal,
): AsyncGenerator<readonly Entry[]> {
  const { height, root } = source.header;
  if (height === 0) return;
  const lists = height === 1 ? [[root]] : leafLists(source, root, height - 1, range);
  const runs = splitRuns(lists, range.reverse === true ? -EXO_PAGE_SIZE : EXO_PAGE_SIZE);
  for await (const leaves of readAhead(runs, (run) => readRun(source, run))) {
    for (const leaf of leaves) {
      throwIfAborted(signal);
      yield* leafEntries(source, leaf, range);
    }
  }
}

/** The offsets of the leaves that `range` touches, one array for each interior page of level 1. */
async function* leafLists(
  source: PageSource,
  offset: number,
  level: number,
  range: KeyRange,
): AsyncGenerator<number[]> {
  const page = await readView(source, offset, level);
  const first = range.lower === undefined ? 0 : page.childIndex(range.lower.key);
  const last = range.upper === undefined ? page.count - 1 : page.childIndex(range.upper.key);
  const children: number[] = [];
  for (let index = first; index <= last; index += 1) children.push(page.child(index));
  if (range.reverse === true) children.reverse();
  if (level === 1) yield children;
  else for (const child of children) yield* leafLists(source, child, level - 1, range);
}

/** Cuts lists of leaves into runs of neighbours, `step` bytes apart, each up to twice as long as the one before. */
async function* splitRuns(
  lists: AsyncIterable<number[]> | Iterable<number[]>,
  step: number,
): AsyncGenerator<Run> {
  let pagesMax = 1;
  for await (const list of lists) {
    let run: number[] = [];
    for (const offset of list) {
      const isNeighbour = run.length === 0 || offset === run.at(-1)! + step;
      if (!isNeighbour || run.length === pagesMax) {
        yield run;
        run = [];
        pagesMax = Math.min(pagesMax * 2, runPagesMax);
      }
      run.push(offset);
    }
    if (run.length > 0) yield run;
  }
}

async function readRun(source: PageSource, run: Run): Promise<PageView[]> {
  const start = Math.min(run[0]!, run.at(-1)!);
  const bytes = await source.readPages(start, run.length);
  return run.map((offset) => {
    const page = pageOfRun(bytes, (offset - start) / EXO_PAGE_SIZE);
    const context = pageContext(source, offset);
    checkPage(page, context);
    return new PageView(page, context, 0);
  });
}

/** Loads items in order with `runsAhead` of them in flight. */
async function* readAhead<T, R>(items: AsyncIterator<T>, load: (item: T) => Promise<R>): AsyncGenerator<R> {
  const inFlight: Promise<R>[] = [];
  for (let done = false; ;) {
    while (!done && inFlight.length < runsAhead) {
      const next = await items.next();
      done = next.done === true;
      if (next.done === true) break;
      const loading = load(next.value);
      // A failure is reported when its turn comes, unless the caller stops before that.
      loading.catch(() => undefined);
      inFlight.push(loading);
    }
    const first = inFlight.shift();
    if (first === undefined) return;
    yield await first;
  }
}

const noValue = Buffer.alloc(0);

async function* leafEntries(
  source: PageSource,
  leaf: PageView,
  range: KeyRange,
): AsyncGenerator<readonly Entry[]> {
  const { lower, upper, reverse } = range;
  const from =
    lower === undefined ? 0 : lower.inclusive ? leaf.lowerBound(lower.key) : leaf.upperBound(lower.key);
  const to =
    upper === undefined
      ? leaf.count
      : upper.inclusive
        ? leaf.upperBound(upper.key)
        : leaf.lowerBound(upper.key);
  let batch: Entry[] = [];
  let outlineBytes = 0;
  for (let step = 0; step < to - from; step += 1) {
    const index = reverse === true ? to - 1 - step : from + step;
    const stored = leaf.value(index);
    if (stored === tombstone || Buffer.isBuffer(stored)) {
      batch.push({ key: leaf.key(index), value: stored });
      continue;
    }
    if (range.keysOnly === true) {
      batch.push({ key: leaf.key(index), value: noValue });
      continue;
    }
    if (outlineBytes > 0 && outlineBytes + stored.length > batchBytesMax) {
      yield batch;
      batch = [];
      outlineBytes = 0;
    }
    batch.push({ key: leaf.key(index), value: await readValue(source, stored) });
    outlineBytes += stored.length;
  }
  if (batch.length > 0) yield batch;
}
