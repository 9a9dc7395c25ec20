import { execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needs } from '@exopool/house';
import { nbdSupport } from '@exopool/native';
import { SlabServer } from '@exopool/native/internal';
import { Identity } from '@exopool/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { runBroker, type RunningBroker } from '../../broker/broker.js';
import { BrokerClient } from '../../protocol/broker-client.js';
import { brokerConfig } from '../../broker/config.js';
import { consumerConfig, type ConsumerConfig } from '../config.js';
import { runNbdConsumer } from './nbd-consumer.js';

const MiB = 1024 * 1024;
const run = promisify(execFile);
const support = nbdSupport();
const hasTools = spawnSync('nbdcopy', ['--version']).error === undefined;
const needed = support.available
  ? needs('nbd-tools', hasTools ? undefined : 'libnbd-bin is not installed')
  : needs('nbdkit', support.reason);

let folder: string;
let broker: RunningBroker;
let server: SlabServer;
let producer: BrokerClient;
let reporting: NodeJS.Timeout;

/** A broker, and one producer that offers 8 slabs of 1 MiB, and goes on saying so: the silent are not placed on. */
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-nbd-'));
  broker = await runBroker(brokerConfig.parse({ port: 0, stateDir: join(folder, 'broker'), slabMib: 1 }));
  const identity = new Identity();
  const { seed } = identity;
  const [slabBytes, brokerKey] = [MiB, broker.brokerKey];
  server = SlabServer.start({ host: '127.0.0.1', port: 0, seed, brokerKey, slabBytes, capacitySlabs: 8 });
  producer = await BrokerClient.connect({ endpoint: broker.endpoint, caFile: broker.caFile, identity });
  await producer.registerProducer({ endpoint: `127.0.0.1:${server.port}`, slabBytes });
  const report = (): Promise<unknown> =>
    producer.reportUsage({ offeredSlabs: 8, harvestedBytes: 0, cpuLoad: 0 });
  await report();
  reporting = setInterval(() => void report().catch(() => undefined), 1000);
});
afterEach(async () => {
  clearInterval(reporting);
  producer.close();
  server.close();
  await broker.close();
  rmSync(folder, { recursive: true });
});

function config(change: Partial<ConsumerConfig> = {}): ConsumerConfig {
  return consumerConfig.parse({
    broker: broker.endpoint,
    caFile: broker.caFile,
    identityFile: join(folder, 'consumer'),
    nbd: join(folder, 'socket'),
    size: '6M',
    nbdFolder: join(folder, 'backing'),
    nbdBufferMib: 1,
    ...change,
  });
}

describe('a consumer with a block device', needed, () => {
  it('leases for it, keeps it going without the producer, and gives back', async () => {
    const consumer = await runNbdConsumer(config({ slabs: 6, metricsPort: 0 }));
    const [source, copy] = [join(folder, 'in'), join(folder, 'out')];
    try {
      expect(consumer.status()).toMatchObject({ stats: { leasedSlabs: 6, leases: 1 } });
      const data = randomBytes(6 * MiB);
      writeFileSync(source, data);
      await run('nbdcopy', [source, consumer.uri]);
      await run('nbdcopy', [consumer.uri, copy]);
      expect(readFileSync(copy).equals(data)).toBe(true);
      const metrics = async (): Promise<string> =>
        (await fetch(`http://127.0.0.1:${consumer.metricsPort}/metrics`)).text();
      expect(await metrics()).toMatch(/^exopool_consumer_leased_slabs 6$/m);
      expect(await metrics()).toMatch(/^exopool_nbd_leased_bytes [1-9]\d{6}$/m);
      expect(await metrics()).toMatch(/^exopool_nbd_tampered_pages_total 0$/m);
      server.close();
      await expect.poll(() => consumer.status().stats.lost.closed).toBe(1);
      await run('nbdcopy', [consumer.uri, copy]);
      expect(readFileSync(copy).equals(data)).toBe(true);
      expect(await metrics()).toMatch(/^exopool_nbd_leased_bytes 0$/m);
      await expect.poll(() => consumer.status().device).toBeDefined();
    } finally {
      await consumer.close();
    }
    await consumer.close();
    expect(existsSync(join(folder, 'socket'))).toBe(false);
    await expect.poll(async () => (await producer.getMarket()).leasedSlabs).toBe(0);
  });

  it('begins without leases when it may', async () => {
    const consumer = await runNbdConsumer(config({ maxPrice: 0, minimumSlabs: 0 }));
    const { stdout } = await run('nbdinfo', ['--size', consumer.uri]);
    expect(Number(stdout)).toBe(6 * MiB);
    await consumer.close();
  });

  it('asks clients for their key', async () => {
    const keys = join(folder, 'keys.psk');
    writeFileSync(keys, `alice:${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    const strangers = join(folder, 'strangers.psk');
    writeFileSync(strangers, `alice:${randomBytes(32).toString('hex')}\n`, { mode: 0o600 });
    const consumer = await runNbdConsumer(config({ nbdTlsPsk: keys }));
    try {
      const { uri } = consumer;
      const as = (file: string): string => `${uri.replace(':///', '://alice@/')}&tls-psk-file=${file}`;
      expect((await run('nbdinfo', ['--size', as(keys)])).stdout.trim()).toBe(String(6 * MiB));
      await expect(run('nbdinfo', [as(strangers)])).rejects.toThrow();
      await expect(run('nbdinfo', [uri.replace('nbds', 'nbd')])).rejects.toThrow();
    } finally {
      await consumer.close();
    }
  });

  it('takes the place of one that was killed, not of one that runs', async () => {
    const socket = join(folder, 'socket');
    const other: Server = createServer().listen(socket);
    await once(other, 'listening');
    await expect(runNbdConsumer(config())).rejects.toMatchObject({ code: 'EXOPOOL_PORT_IN_USE' });
    const kill = `require('node:net').createServer().listen('${socket}', () => process.kill(process.pid, 9))`;
    other.close();
    await once(other, 'close');
    spawnSync(process.execPath, ['-e', kill]);
    expect(existsSync(socket)).toBe(true);
    await (await runNbdConsumer(config())).close();
  });
});

describe('settings of a block device', () => {
  const fails = async (change: Partial<ConsumerConfig>, message: RegExp): Promise<void> => {
    const error: unknown = await runNbdConsumer(config(change)).catch((thrown: unknown) => thrown);
    expect(error).toMatchObject({
      code: 'EXOPOOL_CONFIG',
      message: expect.stringMatching(message) as string,
    });
  };

  it('leave the socket to a server that is too busy to answer', async () => {
    const socket = join(folder, 'socket');
    const wait = 'Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0)';
    const listen = `require('node:net').createServer().listen({ path: '${socket}', backlog: 1 }, () => {
      require('node:fs').writeSync(1, 'listens'); ${wait}; })`;
    const busy = spawn(process.execPath, ['-e', listen], { stdio: ['ignore', 'pipe', 'inherit'] });
    const waiting: Socket[] = [];
    try {
      await once(busy.stdout, 'data');
      const isRefused = (): Promise<boolean> => {
        const client = connect(socket).on('error', () => undefined);
        waiting.push(client);
        return once(client, 'connect').then(
          () => false,
          () => true,
        );
      };
      let isFull = false;
      while (!isFull) isFull = await isRefused();
      await expect(runNbdConsumer(config())).rejects.toMatchObject({ code: 'EXOPOOL_PORT_IN_USE' });
      expect(existsSync(socket)).toBe(true);
    } finally {
      for (const client of waiting) client.destroy();
      busy.kill('SIGKILL');
      await once(busy, 'exit');
    }
  });

  it('must fit together', async () => {
    await fails({ resp: '6380' }, /start two consumers/);
    await fails({ size: undefined }, /--size/);
    await fails({ size: 'huge' }, /^size: /);
    await fails({ size: '0' }, /one page/);
    await fails({ nbd: '0' }, /not 0/);
    await fails({ nbd: '0.0.0.0:10809' }, /anyone who can connect to/);
    expect(server.stats().leases).toBe(0);
  });
});
