import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SlabServer } from '@exopool/native/internal';
import { Identity, loadConfig } from '@exopool/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BrokerClient } from '../protocol/broker-client.js';
import { brokerConfig } from '../broker/config.js';
import { runBroker, type RunningBroker } from '../broker/broker.js';
import { consumerConfig, type ConsumerConfig } from './config.js';
import { runConsumer } from './consumer.js';

let folder: string;
let broker: RunningBroker;
let server: SlabServer;
let producer: BrokerClient;
let reporting: NodeJS.Timeout[];

/** A producer that offers 8 slabs of 1 MiB, and goes on saying so: the silent are not placed on. */
async function startProducer(): Promise<{ server: SlabServer; client: BrokerClient }> {
  const identity = new Identity();
  const slabBytes = 1024 * 1024;
  const started = SlabServer.start({
    host: '127.0.0.1',
    port: 0,
    seed: identity.seed,
    brokerKey: broker.brokerKey,
    slabBytes,
    capacitySlabs: 8,
  });
  const client = await BrokerClient.connect({
    endpoint: broker.endpoint,
    caFile: broker.caFile,
    identity,
    timeoutMs: 60_000,
  });
  await client.registerProducer({ endpoint: `127.0.0.1:${started.port}`, slabBytes });
  const report = (): Promise<unknown> =>
    client.reportUsage({ offeredSlabs: 8, harvestedBytes: 0, cpuLoad: 0 });
  await report();
  reporting.push(setInterval(() => void report().catch(() => undefined), 1000));
  return { server: started, client };
}

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-consumer-'));
  broker = await runBroker(brokerConfig.parse({ port: 0, stateDir: join(folder, 'broker'), slabMib: 1 }));
  reporting = [];
  ({ server, client: producer } = await startProducer());
});
afterEach(async () => {
  reporting.forEach(clearInterval);
  producer.close();
  server.close();
  await broker.close();
  rmSync(folder, { recursive: true });
});

function config(change: Partial<ConsumerConfig> = {}): ConsumerConfig {
  const given = {
    broker: broker.endpoint,
    caFile: broker.caFile,
    identityFile: join(folder, 'consumer'),
    ...change,
  };
  return consumerConfig.parse(given);
}

describe('a consumer', () => {
  it('leases, holds values, tells Prometheus, and gives back', async () => {
    const consumer = await runConsumer(config({ slabs: 6, metricsPort: 0, probe: true }));
    try {
      await consumer.tier.putMany([[Buffer.from('k'), Buffer.from('v')]]);
      expect(await consumer.tier.getMany([Buffer.from('k')])).toEqual([Buffer.from('v')]);
      await expect.poll(() => consumer.status().probe?.good).toBeGreaterThan(0);
      expect(consumer.status()).toMatchObject({ stats: { leasedSlabs: 6 }, probe: { wrong: 0 } });
      expect(consumer.status().leases[0]).toMatchObject({ slabs: 6, open: true });
      const response = await fetch(`http://127.0.0.1:${consumer.metricsPort}/metrics`);
      const text = await response.text();
      expect(text).toMatch(/^exopool_consumer_leased_slabs 6$/m);
      expect(text).toMatch(/^exopool_consumer_hits_total [1-9]/m);
      expect(text).toMatch(/^exopool_consumer_probe_wrong_total 0$/m);
    } finally {
      await consumer.close();
    }
    await consumer.close();
    expect(server.stats()).toMatchObject({ leases: 0, mappedBytes: 0 });
    expect(await producer.getMarket()).toMatchObject({ leasedSlabs: 0 });
  });

  it('keeps using what it has while the broker is away', async () => {
    const consumer = await runConsumer(config());
    try {
      await broker.close();
      await consumer.tier.putMany([[Buffer.from('k'), Buffer.from('v')]]);
      expect(await consumer.tier.getMany([Buffer.from('k')])).toEqual([Buffer.from('v')]);
    } finally {
      await consumer.close();
    }
  });

  it('keeps second copies of what is hot with another producer', async () => {
    const other = await startProducer();
    // As much as the two have together.
    const consumer = await runConsumer(config({ slabs: 16, minimumSlabs: 16, secondCopy: 0.5 }));
    try {
      const keys = Array.from({ length: 200 }, (_, index) => Buffer.from(`key ${index}`));
      const hot = keys.slice(0, 5);
      await consumer.tier.putMany(keys.map((key) => [key, key]));
      const copies = (): number => consumer.status().stats.copies?.copies ?? 0;
      while (copies() < hot.length) await consumer.tier.getMany(hot);
      // Values are with one of the two; whichever, the copies are with the other.
      const leases = consumer.status().leases.map(({ endpoint }) => endpoint);
      expect(new Set(leases).size).toBe(2);
      const holder = server.stats().bytesWritten > other.server.stats().bytesWritten ? server : other.server;
      holder.close();
      await expect.poll(() => consumer.status().stats.lost.closed).toBeGreaterThan(0);
      expect(await consumer.tier.getMany(hot)).toEqual(hot);
      expect(consumer.status().stats.copies?.rescued).toBeGreaterThanOrEqual(hot.length);
    } finally {
      await consumer.close();
      other.client.close();
      other.server.close();
    }
  });

  it('fails with the code that fits, and leaves nothing leased', async () => {
    await expect(runConsumer(config({ slabs: 9, minimumSlabs: 9 }))).rejects.toMatchObject({
      code: 'EXOPOOL_NO_MEMORY',
    });
    await expect(runConsumer(config({ caFile: join(folder, 'none') }))).rejects.toMatchObject({
      code: 'EXOPOOL_NOT_FOUND',
    });
    await expect(runConsumer(config({ metricsPort: server.port }))).rejects.toMatchObject({
      code: 'EXOPOOL_PORT_IN_USE',
    });
    await expect(runConsumer(config({ broker: '127.0.0.1:1' }))).rejects.toMatchObject({
      code: 'EXOPOOL_UNAVAILABLE',
    });
    expect(await producer.getMarket()).toMatchObject({ leasedSlabs: 0 });
    expect(server.stats().leases).toBe(0);
  });
});

describe('its settings', () => {
  it('have defaults', () => {
    const load = (flags: object): ConsumerConfig =>
      loadConfig(consumerConfig, { scope: 'consumer', flags: { ...flags } });
    expect(load({})).toMatchObject({
      slabs: 4,
      leaseSeconds: 600,
      seal: 'aes-128-gcm',
      probe: false,
    });
    const fails = (flags: object, message: RegExp): void => {
      expect(() => load(flags)).toThrow(expect.objectContaining({ code: 'EXOPOOL_CONFIG' }) as Error);
      expect(() => load(flags)).toThrow(message);
    };
    fails({ seal: 'rot13' }, /seal/);
    fails({ slabs: 'many' }, /slabs/);
  });
});
