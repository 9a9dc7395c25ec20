/** The manager with a real slab server and sessions, on a machine whose memory the test says. */
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { SlabServer, SlabSession } from '@exopool/native/internal';
import { GiB, Identity, MiB } from '@exopool/shared';
import { signTicket } from '../protocol/ticket.js';
import { SlabManager, type MachineMemory } from './slab-manager.js';

const slabBytes = MiB;
const [broker, producer, consumer] = [new Identity(), new Identity(), new Identity()];
const sessions: SlabSession[] = [];
let server: SlabServer;
let machine: MachineMemory;
let reclaimedMs: number[];
let fail: Error | undefined;

beforeEach(() => {
  server = SlabServer.start({
    host: '127.0.0.1',
    port: 0,
    seed: producer.seed,
    brokerKey: broker.publicKey,
    slabBytes,
    capacitySlabs: 0,
  });
  machine = { availableBytes: GiB + 10 * slabBytes, processBytes: 0, fullPressure: 0 };
  reclaimedMs = [];
  fail = undefined;
});
afterEach(() => {
  for (const session of sessions.splice(0)) session.close();
  server.close();
});

function manage(graceMs: number): SlabManager {
  const settings = {
    slabBytes,
    floorBytes: GiB,
    maxBytes: Infinity,
    slabsMax: 100,
    raiseAfterMs: 0,
    graceMs,
    emergencyBytes: GiB / 2,
    emergencyPressure: 10,
  };
  const manager = new SlabManager(
    server,
    settings,
    () => 0,
    (ms) => reclaimedMs.push(ms),
    () => {
      if (fail !== undefined) throw fail;
      return machine;
    },
  );
  manager.adjust();
  return manager;
}

async function lease(slabs: number): Promise<SlabSession> {
  const ticket = {
    leaseId: randomBytes(16),
    producerKey: producer.publicKey,
    consumerKey: consumer.publicKey,
    slabs,
    slabBytes,
    issuedAtMs: Date.now(),
    expiresAtMs: Date.now() + 600_000,
    serial: 0,
  };
  const session = await SlabSession.connect({
    host: '127.0.0.1',
    port: server.port,
    ticket: signTicket(ticket, broker),
    seed: consumer.seed,
    producerKey: producer.publicKey,
    timeoutMs: 60_000,
  });
  sessions.push(session);
  return session;
}

it('survives a look that fails, and offers what it did until the next', () => {
  const manager = manage(60_000);
  const known = machine;
  fail = new Error('too many open files');
  machine = { ...known, availableBytes: GiB + 6 * slabBytes };
  manager.adjust();
  expect(manager.stats()).toMatchObject({ offeredSlabs: 10, availableBytes: known.availableBytes });
  fail = undefined;
  manager.adjust();
  expect(manager.stats()).toMatchObject({ offeredSlabs: 6, availableBytes: machine.availableBytes });
});

it('asks in proportion, and is content with what consumers give', async () => {
  const manager = manage(60_000);
  const [large, small] = [await lease(6), await lease(3)];
  const asked: string[] = [];
  large.onReclaim((slabs, graceMs) => asked.push(`large ${slabs} in ${graceMs}`));
  small.onReclaim((slabs, graceMs) => asked.push(`small ${slabs} in ${graceMs}`));
  machine = { ...machine, availableBytes: GiB + 6 * slabBytes };
  manager.adjust();
  expect(server.stats()).toMatchObject({ leasedSlabs: 9, capacitySlabs: 6 });
  await expect.poll(() => asked).toHaveLength(2);
  expect(asked.sort()).toEqual(['large 2 in 60000', 'small 1 in 60000']);
  for (const slab of [0, 1]) await large.releaseSlab(slab);
  await small.releaseSlab(2);
  manager.adjust();
  expect(manager.stats()).toMatchObject({
    reclaims: { asked: 1, emergencies: 0 },
    server: { takenSlabs: 0 },
  });
  expect(reclaimedMs).toHaveLength(1);
  expect(await large.ping()).toBe(true);
});

it('takes what is not given within the grace, from the youngest promise', async () => {
  const manager = manage(20);
  const [old, young] = [await lease(4), await lease(4)];
  machine = { ...machine, availableBytes: GiB + 6 * slabBytes };
  await expect.poll(() => (manager.adjust(), reclaimedMs)).toHaveLength(1);
  await expect.poll(() => [young.goneSlabs.size, old.goneSlabs.size]).toEqual([1, 1]);
  expect(server.stats()).toMatchObject({ leasedSlabs: 6, takenSlabs: 2, leases: 2 });
  expect(reclaimedMs[0]).toBeGreaterThanOrEqual(20);
});

it.each([
  ['memory', { availableBytes: GiB / 4, fullPressure: 0 }],
  ['pressure', { availableBytes: GiB + 2 * slabBytes, fullPressure: 50 }],
])('takes at once in an emergency of %s', async (_, emergency) => {
  const manager = manage(60_000);
  const [old, young] = [await lease(4), await lease(4)];
  const lost = new Promise((resolve) => young.onLost(resolve));
  machine = { ...machine, ...emergency };
  manager.adjust();
  const left = emergency.availableBytes > GiB ? 2 : 0;
  expect(server.stats()).toMatchObject({ leasedSlabs: left, mappedBytes: left * slabBytes });
  expect(await lost).toBe('revoked');
  expect(manager.stats().reclaims).toMatchObject({ asked: 0, emergencies: 1 });
  expect(reclaimedMs).toHaveLength(1);
  if (left > 0) expect(await old.readMany([{ slab: 0, offset: 0, length: 1 }])).toEqual([Buffer.alloc(1)]);
});

it('looks seldom while nothing is on loan, and every time while something is', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const manager = manage(60_000);
    let looks = 0;
    const { availableBytes } = machine;
    machine = {
      ...machine,
      get availableBytes() {
        looks += 1;
        return availableBytes;
      },
    };
    const turns = (count: number): number => {
      looks = 0;
      for (let turn = 0; turn < count; turn += 1) {
        vi.advanceTimersByTime(50);
        manager.turn();
      }
      return looks;
    };
    expect(turns(40)).toBe(2);
    const session = await lease(2);
    await expect.poll(() => server.leasedSlabs).toBe(2);
    expect(turns(10)).toBe(10);
    for (const slab of [0, 1]) await session.releaseSlab(slab);
    await expect.poll(() => server.leasedSlabs).toBe(0);
    expect(turns(40)).toBe(2);
  } finally {
    vi.useRealTimers();
  }
});
