/** A producer with a real broker, and a session on the slabs that it leases. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SlabSession } from '@exopool/native/internal';
import { Identity } from '@exopool/shared';
import { BrokerClient } from '../protocol/broker-client.js';
import { steadyPort } from '../testing/steady-port.js';
import { runBroker, type RunningBroker } from '../broker/broker.js';
import { brokerConfig } from '../broker/config.js';
import { producerConfig, type ProducerConfig } from './config.js';
import { runProducer, type RunningProducer } from './producer.js';

let folder: string;
let broker: RunningBroker;
let client: BrokerClient;
const consumer = new Identity();
const producers: RunningProducer[] = [];

const startBroker = (port: number): Promise<RunningBroker> =>
  runBroker(brokerConfig.parse({ stateDir: join(folder, 'broker'), port, slabMib: 1 }));
const start = async (more: Partial<ProducerConfig> = {}): Promise<RunningProducer> => {
  const settings = {
    broker: broker.endpoint,
    caFile: broker.caFile,
    identityFile: join(folder, `producer-${producers.length}`),
    stateDir: join(folder, 'state'),
    slabMib: 1,
    floorMib: 64,
    maxMib: 8,
    // What tests beside this one do to the machine is no emergency.
    emergencyPressure: 100,
  };
  const producer = await runProducer(producerConfig.parse({ ...settings, ...more }));
  producers.push(producer);
  return producer;
};
const open = (lease: Awaited<ReturnType<BrokerClient['requestLease']>>[number]): Promise<SlabSession> => {
  const [host, port] = lease.endpoint.split(':');
  const { ticket, producerKey } = lease;
  const { seed } = consumer;
  const timeoutMs = 60_000;
  return SlabSession.connect({ host: host!, port: Number(port), ticket, producerKey, seed, timeoutMs });
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-producer-'));
  broker = await startBroker(await steadyPort());
  client = await BrokerClient.connect({
    endpoint: broker.endpoint,
    caFile: broker.caFile,
    identity: consumer,
    timeoutMs: 60_000,
  });
});
afterEach(async () => {
  client.close();
  for (const producer of producers.splice(0)) await producer.close();
  await broker.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('runProducer', () => {
  it('leases memory that holds what is written', async () => {
    const producer = await start({ metricsPort: 0 });
    expect(producer.stats()).toMatchObject({
      offeredSlabs: 8,
      broker: 'connected',
      harvest: { state: 'off' },
    });
    const [lease] = await client.requestLease({ slabs: 3, seconds: 60 });
    const session = await open(lease!);
    const data = Buffer.from('remote');
    expect(await session.writeMany([{ slab: 2, offset: 100, data }])).toEqual([true]);
    expect(await session.readMany([{ slab: 2, offset: 100, length: 6 }])).toEqual([data]);
    expect(producer.stats().server).toMatchObject({ leases: 1, leasedSlabs: 3, capacitySlabs: 8 });
    const metrics = await (await fetch(`http://127.0.0.1:${producer.metricsPort!}/metrics`)).text();
    expect(metrics).toContain('exopool_producer_leased_slabs 3');
    await session.release();
  });

  it('serves no longer what was given back to the broker', async () => {
    await start();
    const [lease] = await client.requestLease({ slabs: 3, seconds: 60 });
    const session = await open(lease!);
    const lost = new Promise((resolve) => session.onLost(resolve));
    await client.releaseLease(lease!.leaseId);
    expect(await lost).toBe('revoked');
    session.close();
  });

  it('serves while the broker is away, and reports again when it is back', async () => {
    const producer = await start();
    const [lease] = await client.requestLease({ slabs: 3, seconds: 60 });
    const session = await open(lease!);
    await broker.close();
    await expect.poll(() => producer.stats().broker).toBe('away');
    expect(producer.stats().brokerReason).toMatch(/no broker at/);
    const data = Buffer.from('still here');
    expect(await session.writeMany([{ slab: 0, offset: 0, data }])).toEqual([true]);
    broker = await startBroker(broker.port);
    await expect.poll(() => producer.stats().broker).toBe('connected');
    session.close();
  });

  it('says what stands in its way', async () => {
    await expect(start({ slabMib: 2 })).rejects.toThrow(/slabs have 1048576 bytes/);
    await expect(start({ host: '0.0.0.0' })).rejects.toThrow(/--advertise/);
    const { port } = await start();
    await expect(start({ port })).rejects.toMatchObject({ code: 'EXOPOOL_PORT_IN_USE' });
    await expect(start({ caFile: join(folder, 'none') })).rejects.toMatchObject({
      code: 'EXOPOOL_NOT_FOUND',
    });
  });

  it('starts while the broker is away, serves leases that run, and joins when it comes', async () => {
    const first = await start({ port: await steadyPort() });
    const [lease] = await client.requestLease({ slabs: 2, seconds: 600 });
    const session = await open(lease!);
    await first.close();
    await broker.close();
    // Another start of the same producer, on the port that its consumers know.
    const again = await start({ identityFile: join(folder, 'producer-0'), port: first.port });
    expect(again.stats()).toMatchObject({
      broker: 'away',
      brokerReason: expect.stringMatching(/no broker/) as string,
    });
    const session2 = await open(lease!);
    expect(await session2.readMany([{ slab: 1, offset: 0, length: 3 }])).toEqual([Buffer.alloc(3)]);
    broker = await startBroker(broker.port);
    await expect.poll(() => again.stats().broker).toBe('connected');
    for (const one of [session, session2]) one.close();
  });

  it('starts for the first time while the broker is away, and knows its tickets once it comes', async () => {
    await broker.close();
    const producer = await start();
    expect(producer.stats().broker).toBe('away');
    broker = await startBroker(broker.port);
    await expect.poll(() => producer.stats().broker).toBe('connected');
    await expect.poll(() => client.requestLease({ slabs: 1, seconds: 60 }).catch(() => [])).toHaveLength(1);
  });
});
