/**
 * A consumer that holds a lease and sends whatever comes up, with right MACs, on a real socket: nothing outside of the
 * lease is read or written, nobody else notices, and every forged frame ends its session.
 */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { SlabSession } from './slab-client.js';
import { loadSlabServer } from './slab-load.js';
import type { SlabServer } from './slab-server.js';
import { consumer, makeTicket, producer, slabBytes, startServer } from '../testing/slab-wire.js';

const isLong = process.env['EXOPOOL_TEST_ALL'] === '1';
const frames = isLong ? 1_000_000 : 40_000;

let server: SlabServer;
beforeEach(() => {
  server = startServer();
});
afterEach(() => server.close());

it(`stands ${frames} frames`, async () => {
  const good = await SlabSession.connect({
    host: '127.0.0.1',
    port: server.port,
    ticket: makeTicket({ slabs: 2, expiresAtMs: Date.now() + 3_600_000 }),
    seed: consumer.seed,
    producerKey: producer.publicKey,
    timeoutMs: 60_000,
  });
  const data = randomBytes(slabBytes);
  await good.writeMany([0, 1].map((slab) => ({ slab, offset: 0, data })));
  const load = {
    port: server.port,
    ticket: makeTicket({ slabs: 2, expiresAtMs: Date.now() + 3_600_000 }),
    seed: consumer.seed,
    producerKey: producer.publicKey,
    connections: 1,
    batch: 16,
    valueBytes: 1024,
    seconds: 0,
  };
  const { requests, connectionsMade } = await loadSlabServer({ ...load, hostileFrames: frames });
  expect(requests).toBeGreaterThanOrEqual(frames);
  // One frame in 2,000 is forged, and takes its connection along.
  expect(connectionsMade).toBeGreaterThan(frames / 10_000);
  // The neighbour's bytes are as they were, and so is the service.
  const whole = [0, 1].map((slab) => ({ slab, offset: 0, length: slabBytes }));
  expect((await good.readMany(whole)).every((bytes) => bytes?.equals(data))).toBe(true);
  expect(server.stats()).toMatchObject({ leases: 2, leasedSlabs: 4, takenSlabs: 0 });
  // An honest load on the lease that was abused is served too.
  expect((await loadSlabServer({ ...load, seconds: 0.05 })).requests).toBeGreaterThan(0);
  await expect(
    loadSlabServer({ ...load, ticket: Buffer.concat([load.ticket.subarray(0, 191), Buffer.of(1)]) }),
  ).rejects.toThrow(/refused/);
  for (const valueBytes of [0, 2 * slabBytes])
    await expect(loadSlabServer({ ...load, valueBytes })).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
  good.close();
}, 1_200_000);
