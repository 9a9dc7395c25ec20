/**
 * The batch job: PageRank. The input is a list of edges. The job builds an index of them (compressed sparse rows) once,
 * then walks it pass after pass. The list stays in memory, as in a program that may need it again.
 */
import { Latencies } from '@exopool/demo/latencies';
import { seededRandom } from '@exopool/demo/random';
import { windowOf, type LoadWindow, type LoadPoint } from '../load/window.js';

/** Bytes per edge: in the list, in the index, and its share of the vertices. */
const edgeBytes = 8 + 4 + 28 / 16;
const edgesPerVertex = 16;
const parts = 64;
const damping = 0.85;

class PageRank {
  readonly #vertices: number;
  /** Source and target of each edge, alternating. */
  readonly edges: Uint32Array;
  readonly #starts: Float64Array;
  readonly #sources: Uint32Array;
  #ranks: Float64Array;
  #next: Float64Array;
  #part = 0;

  constructor(bytes: number) {
    const edges = Math.max(parts * edgesPerVertex, Math.floor(bytes / edgeBytes));
    this.#vertices = Math.floor(edges / edgesPerVertex);
    this.edges = randomEdges(edges, this.#vertices);
    this.#starts = new Float64Array(this.#vertices + 1);
    this.#sources = new Uint32Array(edges);
    this.#ranks = new Float64Array(this.#vertices).fill(1 / this.#vertices);
    this.#next = new Float64Array(this.#vertices);
    this.#index();
  }

  /** Edges by their target vertex. */
  #index(): void {
    for (let at = 1; at < this.edges.length; at += 2) this.#starts[this.edges[at]! + 1]! += 1;
    for (let vertex = 0; vertex < this.#vertices; vertex += 1)
      this.#starts[vertex + 1]! += this.#starts[vertex]!;
    const places = this.#starts.slice();
    for (let at = 0; at < this.edges.length; at += 2) {
      const to = this.edges[at + 1]!;
      this.#sources[places[to]!] = this.edges[at]!;
      places[to]! += 1;
    }
  }

  /** One part of a pass. */
  step(): void {
    const from = Math.floor((this.#part * this.#vertices) / parts);
    const to = Math.floor(((this.#part + 1) * this.#vertices) / parts);
    for (let vertex = from; vertex < to; vertex += 1) {
      let sum = 0;
      for (let at = this.#starts[vertex]!; at < this.#starts[vertex + 1]!; at += 1)
        sum += this.#ranks[this.#sources[at]!]!;
      this.#next[vertex] = (1 - damping) / this.#vertices + (damping * sum) / edgesPerVertex;
    }
    this.#part = (this.#part + 1) % parts;
    if (this.#part === 0) [this.#ranks, this.#next] = [this.#next, this.#ranks];
  }
}

function randomEdges(count: number, vertices: number): Uint32Array {
  const random = seededRandom(1);
  const edges = new Uint32Array(2 * count);
  for (let edge = 0; edge < count; edge += 1) {
    edges[2 * edge] = Math.floor(edge / edgesPerVertex) % vertices;
    // Squared, so that some vertices are the target of many edges.
    edges[2 * edge + 1] = Math.floor(random() ** 2 * vertices);
  }
  return edges;
}

function run(job: PageRank, seconds: number): LoadWindow {
  const all = new Latencies();
  const points: LoadPoint[] = [];
  let ofSecond = new Latencies();
  const startMs = performance.now();
  let secondMs = startMs;
  let nowMs = startMs;
  while (nowMs < startMs + seconds * 1000) {
    const beforeMs = nowMs;
    job.step();
    nowMs = performance.now();
    all.record(nowMs - beforeMs);
    ofSecond.record(nowMs - beforeMs);
    if (nowMs - secondMs < 1000) continue;
    const opsPerSecond = (ofSecond.count * 1000) / (nowMs - secondMs);
    points.push({ atMs: Date.now(), opsPerSecond, p99Us: ofSecond.percentileUs(99) });
    ofSecond = new Latencies();
    secondMs = nowMs;
  }
  return windowOf(all, all.count, (nowMs - startMs) / 1000, points);
}

const { bytes } = JSON.parse(process.argv[2] ?? '{}') as { readonly bytes: number };
const job = new PageRank(bytes);
process.once('disconnect', () => process.exit(0));
process.on('message', ({ seconds }: { readonly seconds: number }) => {
  process.send?.({ result: run(job, seconds) });
});
