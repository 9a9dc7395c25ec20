/** Slab sessions and servers in other threads and processes, which end in the middle of work. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlabSession } from './slab-client.js';
import { broker, consumer, makeTicket, producer, startServer } from '../testing/slab-wire.js';
import type { SlabServer } from './slab-server.js';

let server: SlabServer;
beforeEach(() => {
  server = startServer();
});
afterEach(() => server.close());

const hex = (bytes: Buffer): string => `Buffer.from('${bytes.toString('hex')}', 'hex')`;
const options = (): string => `{
  host: '127.0.0.1', port: ${server.port}, ticket: ${hex(makeTicket())},
  seed: ${hex(consumer.seed)}, producerKey: ${hex(producer.publicKey)}, timeoutMs: 60_000 }`;
const manyReads = `for (let i = 0; i < 200; i++) {
  session.readMany(Array.from({ length: 50 }, () => ({ slab: 0, offset: 0, length: 50_000 })));
}`;

/** Runs a script that has a session; resolves with its exit status or signal, and what it printed. */
async function run(script: string): Promise<{ status: unknown; printed: string }> {
  const code = `import { SlabSession } from '@exopool/native/internal';
    const session = await SlabSession.connect(${options()});
    ${script}`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', code], {
    cwd: path.resolve(import.meta.dirname, '../..'),
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let printed = '';
  child.stdout.on('data', (data: Buffer) => (printed += data.toString()));
  const [status, signal] = (await once(child, 'close')) as [number | null, string | null];
  return { status: status ?? signal, printed };
}

describe('a process', () => {
  it('ends by itself with an idle session', async () => {
    expect(await run('')).toEqual({ status: 0, printed: '' });
  });

  it('stays until what it asked for is there', async () => {
    const script = `session.readMany([{ slab: 0, offset: 0, length: 7 }]).then(([got]) => console.log(got.length))`;
    expect(await run(script)).toEqual({ status: 0, printed: '7\n' });
  });

  it('may exit with requests on their way', async () => {
    expect(await run(`${manyReads}; process.exit(3)`)).toEqual({ status: 3, printed: '' });
  });

  it('may fail with requests on their way', async () => {
    const failed = await run(
      `process.on('uncaughtException', () => process.exit(4)); ${manyReads}; throw new Error('x')`,
    );
    expect(failed.status).toBe(4);
  });
});

describe('worker threads', () => {
  const inWorker = (script: string): Worker =>
    new Worker(
      `import('@exopool/native/internal').then(async ({ SlabSession, SlabServer }) => { ${script} });`,
      {
        eval: true,
      },
    );

  it('share the client, and may be terminated with requests on their way', async () => {
    const mine = await SlabSession.connect({
      host: '127.0.0.1',
      port: server.port,
      ticket: makeTicket(),
      seed: consumer.seed,
      producerKey: producer.publicKey,
      timeoutMs: 60_000,
    });
    for (let round = 0; round < 5; round++) {
      const worker = inWorker(`const session = await SlabSession.connect(${options()});
        await session.ping();
        ${manyReads}
        require('node:worker_threads').parentPort.postMessage('under way');
        setInterval(() => undefined, 1000);`);
      const [message] = (await once(worker, 'message')) as [string];
      expect(message).toBe('under way');
      const pending = mine.readMany(
        Array.from({ length: 100 }, () => ({ slab: 0, offset: 0, length: 1000 })),
      );
      await worker.terminate();
      expect((await pending).every((value) => value?.length === 1000)).toBe(true);
      server.setCapacity(2);
      server.setCapacity(8);
    }
    mine.close();
  });

  it('end with the server that they started', async () => {
    const worker = inWorker(`const server = SlabServer.start({ host: '127.0.0.1', port: 0, slabBytes: 4096,
        capacitySlabs: 1, seed: ${hex(producer.seed)}, brokerKey: ${hex(broker.publicKey)} });
      require('node:worker_threads').parentPort.postMessage(server.port);`);
    // Both at once: a worker that ends may deliver its last message and its exit in one turn.
    const [[port]] = (await Promise.all([once(worker, 'message'), once(worker, 'exit')])) as [
      [number],
      unknown,
    ];
    startServer({ port }).close();
  });
});
