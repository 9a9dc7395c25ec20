import { Store } from './dist/index.js';
import { rm } from 'node:fs/promises';
import { readFileSync, readdirSync } from 'node:fs';
const folder = '/tmp/wt-bench/upd';
const N = Number(process.argv[2] ?? 200000), secs = Number(process.argv[3] ?? 15);
await rm(folder, { recursive: true, force: true });
const store = await Store.open(folder, { sync: process.argv[4] === 'sync' });
const value = Buffer.alloc(400, 'v');
function* entries(n) { for (let i = 0; i < n; i++) yield [`key:${String(i).padStart(9, '0')}`, value]; }
const c0 = process.cpuUsage();
const r = await store.load(entries(N));
console.log('load', (N / r.seconds / 1e6).toFixed(2), 'M/s, cpu us a record', (() => { const c = process.cpuUsage(c0); return ((c.user + c.system) / N).toFixed(2); })());
const lat = []; const end = performance.now() + secs * 1000; let max = 0;
let lastTick = performance.now(), stall = 0; const iv = setInterval(() => { const n = performance.now(); stall = Math.max(stall, n - lastTick - 5); lastTick = n; }, 5);
const c1 = process.cpuUsage(); const t0 = performance.now();
await Promise.all(Array.from({ length: 128 }, async () => {
  while (performance.now() < end) {
    const t = performance.now();
    await store.put(`key:${String(Math.floor(Math.random() * N)).padStart(9, '0')}`, value);
    lat.push(performance.now() - t);
  }
}));
const s = (performance.now() - t0) / 1000; clearInterval(iv);
lat.sort((a, b) => a - b);
const q = (p) => lat[Math.floor(p * (lat.length - 1))].toFixed(2);
const c = process.cpuUsage(c1); const st = store.stats();
console.log('puts/s', (lat.length / s).toFixed(0), 'p50', q(.5), 'p99', q(.99), 'p99.9', q(.999), 'max', q(1), 'ms; cpu us', ((c.user + c.system) / lat.length).toFixed(1), 'event loop stall', stall.toFixed(0));
console.log({ flushes: st.flushes, compactions: st.compactions, compactedMB: st.compactedBytes >> 20, tables: st.tables });
for (const t of readdirSync('/proc/self/task')) { const f = readFileSync(`/proc/self/task/${t}/stat`, 'latin1'); const g = f.slice(f.lastIndexOf(')') + 2).split(' '); if (+g[11] + +g[12] > 20) console.log(f.slice(0, f.lastIndexOf(')') + 1), 'utime', g[11], 'stime', g[12]); }
await store.close();
