/**
 * Reads and writes of leased memory over loopback.
 *
 * Workload: values of 1 KiB at random places of a 64 MiB slab that was written before; one at a time, and 64 a call.
 * Fair: one client and the same ranges throughout. The server runs in a process of its own, as a producer does, and
 * once in this one, where two native threads and JavaScript share the cores. `round trip` is an empty request.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import path from 'node:path';
import { afterAll, bench, describe } from 'vitest';
import { SlabSession } from './slab-client.js';
import { broker, consumer, makeTicket, producer, startServer } from '../testing/slab-wire.js';

const slabBytes = 64 * 1024 * 1024;
const valueBytes = 1024;
const batchValues = 64;
const seconds = { time: 1000, warmupTime: 300 };

/** Starts a server in another process; it ends with its standard input. */
async function serverElsewhere(spinMicroseconds: number): Promise<{ port: number; stop: () => void }> {
  const hex = (bytes: Buffer): string => `Buffer.from('${bytes.toString('hex')}', 'hex')`;
  const script = `import { SlabServer } from '@exopool/native/internal';
    const server = SlabServer.start({ host: '127.0.0.1', port: 0, seed: ${hex(producer.seed)},
      brokerKey: ${hex(broker.publicKey)}, slabBytes: ${slabBytes}, capacitySlabs: 1,
      spinMicroseconds: ${spinMicroseconds} });
    console.log(server.port);
    process.stdin.on('end', () => process.exit()).resume();`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    cwd: path.resolve(import.meta.dirname, '../..'),
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return { port: Number(line), stop: () => child.stdin.end() };
}

async function openAt(port: number): Promise<SlabSession> {
  const session = await SlabSession.connect({
    host: '127.0.0.1',
    port,
    ticket: makeTicket({ slabs: 1, slabBytes }),
    seed: consumer.seed,
    producerKey: producer.publicKey,
  });
  for (let offset = 0; offset < slabBytes; offset += 1024 * 1024) {
    await session.writeMany([{ slab: 0, offset, data: Buffer.alloc(1024 * 1024, 1) }]);
  }
  return session;
}

const here = startServer({ slabBytes, capacitySlabs: 1 });
const elsewhere = await serverElsewhere(20);
const still = await serverElsewhere(0);
const sessions = {
  'server in its own process': await openAt(elsewhere.port),
  'server in its own process, never spinning': await openAt(still.port),
  'server in this process': await openAt(here.port),
};
afterAll(() => {
  for (const session of Object.values(sessions)) session.close();
  elsewhere.stop();
  still.stop();
  here.close();
});

// A small linear congruential generator: the same places in every run.
let state = 1;
const place = (): number => {
  state = (state * 48_271) % 2_147_483_647;
  return (state % (slabBytes / valueBytes)) * valueBytes;
};
const range = (): { slab: number; offset: number; length: number } => ({
  slab: 0,
  offset: place(),
  length: valueBytes,
});
const data = Buffer.alloc(valueBytes, 2);

describe.each(Object.entries(sessions))('%s', (_, session) => {
  const timed = (name: string, work: () => Promise<unknown>): void => {
    bench(
      name,
      async () => {
        await work();
      },
      seconds,
    );
  };
  timed('round trip', () => session.ping());
  timed('read 1 KiB', () => session.readMany([range()]));
  timed('read 64 × 1 KiB', () => session.readMany(Array.from({ length: batchValues }, range)));
  timed('write 64 × 1 KiB', () =>
    session.writeMany(Array.from({ length: batchValues }, () => ({ slab: 0, offset: place(), data }))),
  );
});
