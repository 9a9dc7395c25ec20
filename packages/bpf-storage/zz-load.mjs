import { Store } from './dist/index.js';
import { rm } from 'node:fs/promises';
import { readFileSync } from 'node:fs';
const count = Number(process.argv[2] ?? 1e6);
const folder = '/tmp/wt-bench/load';
await rm(folder, { recursive: true, force: true });
const store = await Store.open(folder, { createIfMissing: true });
const rss = () => Number(/VmRSS:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) / 1024;
const hwm = () => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'latin1'))[1]) / 1024;
console.log('start rss', rss().toFixed(0));
const value = Buffer.alloc(400, 'v');
function* entries(n) {
  let x = 12345;
  for (let i = 0; i < n; i++) {
    x = (Math.imul(x, 1664525) + 1013904223) >>> 0;
    yield [`key:${x.toString(36)}:${i}:abcdefgh`, value];
  }
}
const t0 = performance.now();
let readDone = 0;
const r = await store.load(entries(count), { onProgress: ({ phase }) => { if (phase === 'merge' && !readDone) readDone = performance.now(); } });
console.log(r, (count / r.seconds / 1e6).toFixed(2), 'M/s; gather', ((readDone - t0) / 1000).toFixed(2), 's; cpu', process.cpuUsage(), 'hwm MB', hwm().toFixed(0), 'rss', rss().toFixed(0));
const t1 = performance.now();
let n = 0;
for await (const e of store.range()) n++;
console.log('scan', (n / (performance.now() - t1) / 1000).toFixed(2), 'M/s');
const t2 = performance.now();
console.log(await store.aggregate({ field: { type: 'u8', offset: 3 } }), 'aggregate', (count / (performance.now() - t2) / 1000).toFixed(2), 'M/s');
const t3 = performance.now(); let ranges = 0;
while (performance.now() - t3 < 3000) { for await (const e of store.range({ gte: `key:${Math.floor(Math.random()*4e9).toString(36)}`, limit: 100 })) ; ranges++; }
console.log('range of 100', (ranges / (performance.now() - t3) * 1000).toFixed(0), '/s');
await store.close();
