/**
 * Runs in a guest with an NVMe device. Swaps to a block device over leased memory while its producer is killed. Prints
 * the results as one JSON object.
 *
 *   node guest-nbd.mjs            the whole test
 *   node guest-nbd.mjs producer   a producer, which prints its port
 *   node guest-nbd.mjs hog        takes memory, then reads it again on request
 */
import { Buffer } from 'node:buffer';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs';
import process from 'node:process';
import { setInterval } from 'node:timers';
import { NbdDevice, SlabServer } from '@exopool/native/internal';
import { Identity } from '@exopool/shared';

const MiB = 1 << 20;
const slabBytes = 4 * MiB;
const slabs = 16;
const [broker, producer, consumer] = [1, 2, 3].map((byte) => new Identity(Buffer.alloc(32, byte)));
const swap = '/dev/nbd0';
const socket = '/run/swap.sock';
const group = '/sys/fs/cgroup/hog';
/** The hog uses half as much again as its limit. */
const limitBytes = 96 * MiB;
const hogBytes = 144 * MiB;
const pageBytes = 4096;

function run(program, ...words) {
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8' });
  if (status !== 0) throw new Error(`${program} ${words.join(' ')}: ${stderr || stdout || error}`);
}

function ticket() {
  const bytes = Buffer.alloc(192);
  bytes.write('XTK1');
  bytes.writeUInt32LE(slabs, 4);
  producer.publicKey.copy(bytes, 24);
  consumer.publicKey.copy(bytes, 56);
  bytes.writeBigUInt64LE(BigInt(Date.now()), 88);
  bytes.writeBigUInt64LE(BigInt(Date.now() + 3_600_000), 96);
  bytes.writeUInt32LE(slabBytes, 104);
  broker.sign(bytes.subarray(0, 128)).copy(bytes, 128);
  return bytes;
}

function serve() {
  const brokerKey = broker.publicKey;
  const { seed } = producer;
  const server = SlabServer.start({
    host: '127.0.0.1',
    port: 0,
    seed,
    brokerKey,
    slabBytes,
    capacitySlabs: slabs,
  });
  console.log(server.port);
  setInterval(() => undefined, 1000);
}

/** Pages that all differ and do not compress. */
async function hog() {
  fs.writeFileSync(`${group}/cgroup.procs`, String(process.pid));
  const memory = Buffer.alloc(hogBytes);
  const expected = (page, at) => (Math.imul(page * 1024 + at, 0x9e3779b1) ^ page) >>> 0;
  const words = new Uint32Array(memory.buffer, memory.byteOffset, hogBytes / 4);
  for (let page = 0; page < hogBytes / pageBytes; page += 1)
    for (let at = 0; at < 1024; at += 64) words[page * 1024 + at] = expected(page, at);
  console.log('filled');
  await once(process.stdin, 'data');
  let wrong = 0;
  for (let page = 0; page < hogBytes / pageBytes; page += 1)
    for (let at = 0; at < 1024; at += 64) if (words[page * 1024 + at] !== expected(page, at)) wrong += 1;
  console.log(JSON.stringify({ wrong }));
  process.exit();
}

function child(role) {
  const started = spawn(process.execPath, [process.argv[1], role], { stdio: ['pipe', 'pipe', 'inherit'] });
  const said = async () => (await once(started.stdout, 'data'))[0].toString().trim();
  return { started, said };
}

async function swapToIt() {
  run('mkfs.ext4', '-q', '/dev/nvme0n1');
  fs.mkdirSync('/mnt/swap', { recursive: true });
  run('mount', '/dev/nvme0n1', '/mnt/swap');
  const memory = child('producer');
  const port = Number(await memory.said());
  const listen = { socket };
  const folder = '/mnt/swap';
  const device = await NbdDevice.start({ listen, sizeBytes: 256 * MiB, folder, bufferBytes: 16 * MiB });
  const { isDirect, isLocked } = device;
  const producerKey = producer.publicKey;
  await device.connect({
    host: '127.0.0.1',
    port,
    ticket: ticket(),
    seed: consumer.seed,
    producerKey,
    timeoutMs: 60_000,
  });
  run('/sbin/modprobe', 'nbd');
  run('nbd-client', '-unix', socket, swap, '-b', String(pageBytes), '-swap');
  run('mkswap', swap);
  run('swapon', '--discard', swap);

  fs.writeFileSync('/sys/fs/cgroup/cgroup.subtree_control', '+memory');
  fs.mkdirSync(group);
  fs.writeFileSync(`${group}/memory.max`, String(limitBytes));
  const eater = child('hog');
  await eater.said();
  const filled = await device.stats();
  const swappedBytes = Number(fs.readFileSync(`${group}/memory.swap.current`, 'utf8'));
  memory.started.kill('SIGKILL');
  await once(memory.started, 'exit');
  eater.started.stdin.write('read it\n');
  const { wrong } = JSON.parse(await eater.said());
  // swapoff would bring back the pages of a running process, for which its cgroup has no room.
  if (eater.started.exitCode === null) await once(eater.started, 'exit');
  const { readLeased, readFile, readBuffered, tampered, lost, corrupt, fileFailures, discarded } =
    await device.stats();

  run('swapoff', swap);
  run('nbd-client', '-d', swap);
  await device.close();
  const figures = { readLeased, readFile, readBuffered, tampered, lost, corrupt, fileFailures, discarded };
  return { isDirect, isLocked, swappedBytes, leasedUsed: filled.leasedUsed, wrong, ...figures };
}

if (process.argv[2] === 'producer') serve();
else if (process.argv[2] === 'hog') await hog();
else console.log(JSON.stringify(await swapToIt()));
