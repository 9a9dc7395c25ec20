/**
 * Runs in a guest with cgroup v2 and DAMON. Harvests a process that always uses a quarter of its memory, once with each
 * way to choose victims. Then kills a harvester. Prints the results as one JSON object.
 *
 *   node guest-aim.mjs '{"harvester":"/path/of/harvester.js"}'
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import process from 'node:process';
import { setTimeout } from 'node:timers/promises';
import { MachineJournal, MemoryCgroup, undoLeftovers } from '@exopool/native';
import { readSwapAreas } from '@exopool/native/internal';
import { attempt, run } from './guest-commands.mjs';
import { eagerHarvester } from './guest-harvester.mjs';

const { harvester, cgroup: cgroupPath } = JSON.parse(process.argv[2]);
const { Harvester } = await import(harvester);
const MiB = 1 << 20;
const { stateDir } = eagerHarvester;
const mailbox = '/run/exopool-application';
const damon = '/sys/kernel/mm/damon/admin/kdamonds';
const swappedMin = 60 * MiB;
const waitMs = 240_000;
const pollMs = 200;
/** Time under emulation until needed pages have come back after the last step. */
const settleMs = 3000;

/** A process that has 128 MiB and uses 32 MiB in the middle. A file `ask` makes it report whether all is unchanged. */
const application = `
  const fs = require('node:fs');
  const MiB = 1 << 20, from = 48 * MiB, to = 80 * MiB;
  const b = Buffer.alloc(128 * MiB);
  const isUsed = (i) => i >= from && i < to;
  for (let i = 0; i < b.length; i += 256) b.writeUInt32LE(isUsed(i) ? 0 : i * 31, i);
  let rounds = 0;
  setInterval(() => {
    rounds += 1;
    for (let i = from; i < to; i += 4096) b.writeUInt32LE(rounds, i);
    if (!fs.existsSync('${mailbox}/ask')) return;
    fs.unlinkSync('${mailbox}/ask');
    let wrong = 0;
    for (let i = 0; i < b.length; i += 256)
      if (b.readUInt32LE(i) !== (!isUsed(i) ? i * 31 : i % 4096 === 0 ? rounds : 0)) wrong += 1;
    fs.writeFileSync('${mailbox}/answer.part', String(wrong));
    fs.renameSync('${mailbox}/answer.part', '${mailbox}/answer');
  }, 100);`;

const options = (path, victims) => ({
  ...eagerHarvester,
  command: [],
  cgroup: path,
  victims,
  // Long enough for DAMON to see which ranges were idle for the cooling period.
  baselinePointsMin: 25,
  coolingMs: 3000,
  floorBytes: 64 * MiB,
  backingBytes: 0,
  backingDir: '/run',
});

const kdamonds = () => Number(fs.readFileSync(`${damon}/nr_kdamonds`, 'utf8'));
const isWatching = () => kdamonds() === 1 && fs.readFileSync(`${damon}/0/state`, 'utf8').trim() === 'on';
const pagesOut = () => Number(/^pswpout (\d+)$/m.exec(fs.readFileSync('/proc/vmstat', 'utf8'))[1]);

async function until(condition, what) {
  for (const end = Date.now() + waitMs; !condition(); await setTimeout(pollMs))
    if (Date.now() > end) throw new Error(`waited in vain: ${JSON.stringify(what())}`);
}

/** @returns the number of wrong values in the application's memory. */
async function countWrong() {
  fs.rmSync(`${mailbox}/answer`, { force: true });
  fs.writeFileSync(`${mailbox}/ask`, '');
  await until(
    () => fs.existsSync(`${mailbox}/answer`),
    () => 'an answer',
  );
  return Number(fs.readFileSync(`${mailbox}/answer`, 'utf8'));
}

/** Starts an application in its own cgroup. A new one is needed each time, since harvesting reorders its memory. */
async function withApplication(name, work) {
  fs.rmSync(mailbox, { recursive: true, force: true });
  fs.mkdirSync(mailbox, { recursive: true });
  const journal = MachineJournal.open('/run/exopool-test');
  const cgroup = MemoryCgroup.create(journal, name);
  const script = 'echo $$ >"$0/cgroup.procs" && exec "$@"';
  const words = ['-c', script, cgroup.path, process.execPath, '-e', application];
  spawn('/bin/sh', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  await countWrong();
  const result = await work(cgroup);
  await journal.undoAll();
  return result;
}

async function harvest(cgroup, victims) {
  const running = await Harvester.start(options(cgroup.path, victims));
  const before = {
    usageBytes: cgroup.sample().usageBytes,
    pageIns: cgroup.sample().pageIns,
    out: pagesOut(),
  };
  await until(
    () => running.status.swappedBytes > swappedMin,
    () => running.status,
  );
  await setTimeout(settleMs);
  const { aim, steps, swappedBytes } = running.status;
  const { usageBytes, pageIns } = cgroup.sample();
  const figures = { pageIns: pageIns - before.pageIns, pagesOut: pagesOut() - before.out };
  const wrong = await countWrong();
  await running.close();
  const left = { swap: readSwapAreas().length, journal: fs.readdirSync(stateDir), kdamonds: kdamonds() };
  return { ...figures, usageBytes: [before.usageBytes, usageBytes], swappedBytes, steps, aim, wrong, left };
}

/** Lets another process harvest, and kills it in the middle of a step. */
async function kill(cgroup) {
  const words = [process.argv[1], JSON.stringify({ harvester, cgroup: cgroup.path })];
  const child = spawn(process.execPath, words, { stdio: ['ignore', 'ignore', 'inherit'] });
  await until(
    () => fs.existsSync(`${mailbox}/pushed`),
    () => 'a push',
  );
  const exit = once(child, 'exit');
  child.kill('SIGKILL');
  await exit;
  // The kernel does not answer while it is busy with a request.
  let wasWatching;
  await until(
    () => attempt(() => (wasWatching = isWatching())) === 'done',
    () => 'the state of DAMON',
  );
  await undoLeftovers(stateDir);
  return { wasWatching, kdamonds: kdamonds(), journal: fs.readdirSync(stateDir), wrong: await countWrong() };
}

/** A foreign kdamond stays untouched, and harvesting works without DAMON. */
async function goWithout(cgroup) {
  fs.writeFileSync(`${damon}/nr_kdamonds`, '1');
  const running = await Harvester.start(options(cgroup.path, 'idle'));
  await until(
    () => running.status.swappedBytes > 0,
    () => running.status,
  );
  const { reason } = running.status.aim;
  await running.close();
  return { reason, kdamonds: kdamonds() };
}

async function harvestUntilKilled() {
  const running = await Harvester.start(options(cgroupPath, 'idle'));
  await until(
    () => (running.status.aim?.pushedBytes ?? 0) > 0,
    () => running.status,
  );
  fs.writeFileSync(`${mailbox}/pushed`, '');
}

async function main() {
  run('/sbin/modprobe', 'zram');
  const squeeze = await withApplication('squeeze', (cgroup) => harvest(cgroup, 'squeeze'));
  const rest = await withApplication('idle', async (cgroup) => ({
    idle: await harvest(cgroup, 'idle'),
    killed: await kill(cgroup),
    without: await goWithout(cgroup),
  }));
  process.stdout.write(JSON.stringify({ squeeze, ...rest }));
}

await (cgroupPath === undefined ? main() : harvestUntilKilled());
