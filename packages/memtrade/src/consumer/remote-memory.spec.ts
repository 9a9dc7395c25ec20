import { randomBytes } from 'node:crypto';
import { SlabServer, SlabSession, tamperedMax } from '@exopool/native/internal';
import { ExopoolError, Identity } from '@exopool/shared';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LeaseGrant, LeaseWish } from '../protocol/broker-client.js';
import { steadyPort } from '../testing/steady-port.js';
import { signTicket, ticketSerial } from '../protocol/ticket.js';
import { RemoteMemory, type RemoteMemoryDependencies } from './remote-memory.js';
import type { LeaseMarket, LeasePlan, RemoteMemoryOptions } from './remote-memory.types.js';

const broker = new Identity(Buffer.alloc(32, 1));
const producer = new Identity(Buffer.alloc(32, 2));
const identity = new Identity(Buffer.alloc(32, 3));
const slabBytes = 1024 * 1024;

/** A broker with one producer and no limits of its own; its clock is the real one, which producers check by. */
class Market implements LeaseMarket {
  readonly granted: LeaseGrant[] = [];
  readonly requestIds: string[] = [];
  readonly maxPrices: (number | undefined)[] = [];
  readonly released: string[] = [];
  readonly complaints: string[] = [];
  extended = 0;
  failing: ExopoolError | undefined;

  constructor(readonly port: () => number) {}

  requestLease(wish: LeaseWish): Promise<LeaseGrant[]> {
    this.requestIds.push(wish.requestId ?? '');
    this.maxPrices.push(wish.maxPrice);
    return this.#answer(() => {
      const grant = this.#grant(randomBytes(16), wish.slabs, Date.now() + wish.seconds * 1000, 0);
      this.granted.push(grant);
      return [grant];
    });
  }

  extendLease(lease: Pick<LeaseGrant, 'leaseId' | 'ticket'>, seconds: number): Promise<LeaseGrant> {
    return this.#answer(() => {
      this.extended++;
      const old = this.granted.find(({ leaseId }) => leaseId.equals(lease.leaseId))!;
      return this.#grant(
        lease.leaseId,
        old.slabs,
        old.expiresAtMs + seconds * 1000,
        ticketSerial(lease.ticket) + 1,
      );
    });
  }

  releaseLease(leaseId: Buffer, { tampered = false } = {}): Promise<number> {
    return this.#answer(() => {
      this.released.push(leaseId.toString('hex'));
      if (tampered) this.complaints.push(leaseId.toString('hex'));
      return 0.25;
    });
  }

  #answer<T>(answer: () => T): Promise<T> {
    return this.failing === undefined ? Promise.resolve(answer()) : Promise.reject(this.failing);
  }

  #grant(leaseId: Buffer, slabs: number, expiresAtMs: number, serial: number): LeaseGrant {
    const fields = { leaseId, slabs, slabBytes, expiresAtMs, producerKey: producer.publicKey };
    const ticket = signTicket(
      { ...fields, serial, consumerKey: identity.publicKey, issuedAtMs: Date.now() },
      broker,
    );
    return { ...fields, ticket, endpoint: `127.0.0.1:${this.port()}`, price: 0.01, charged: 1 };
  }
}

let server: SlabServer;
let market: Market;
let nowMs: number;
let tick: () => void;
const opened: RemoteMemory[] = [];
const unavailable = new ExopoolError('EXOPOOL_UNAVAILABLE', 'the broker is away');

const dependencies: Partial<RemoteMemoryDependencies> = {
  now: () => nowMs,
  random: () => 1,
  connect: (options) => SlabSession.connect({ ...options, timeoutMs: 60_000 }),
  every: (_, callback) => {
    tick = callback;
    return () => undefined;
  },
};

async function open(
  options: Partial<RemoteMemoryOptions> = {},
  by: Partial<RemoteMemoryDependencies> = {},
): Promise<RemoteMemory> {
  const memory = await RemoteMemory.open(
    { broker: market, identity, slabs: 4, ...options },
    { ...dependencies, ...by },
  );
  opened.push(memory);
  return memory;
}

/** Lets the policy look until something holds. */
function until(holds: () => boolean): Promise<unknown> {
  return expect.poll(() => (tick(), holds()), { interval: 10 }).toBe(true);
}

function startServer(port = 0): SlabServer {
  return SlabServer.start({
    host: '127.0.0.1',
    port,
    seed: producer.seed,
    brokerKey: broker.publicKey,
    slabBytes,
    capacitySlabs: 8,
  });
}

beforeEach(() => {
  server = startServer();
  market = new Market(() => server.port);
  nowMs = Date.now();
});
afterEach(async () => {
  market.failing = undefined;
  for (const memory of opened.splice(0)) await memory.close();
  server.close();
});

const entry = [Buffer.from('key'), Buffer.from('value')] as const;

describe('a producer that changes what was stored', () => {
  it('loses the lease, is complained of, and gets none again', async () => {
    const memory = await open({ slabs: 1 });
    const [grant] = market.granted;
    const entries = Array.from({ length: 100 }, (_, index) => [Buffer.from(`${index}`), entry[1]] as const);
    await memory.tier.putMany(entries);
    const liar = await SlabSession.connect({
      host: '127.0.0.1',
      port: server.port,
      ticket: grant!.ticket,
      seed: identity.seed,
      producerKey: producer.publicKey,
      timeoutMs: 60_000,
    });
    await liar.writeMany([{ slab: 0, offset: 0, data: Buffer.alloc(slabBytes, 1) }]);
    liar.close();
    const few = entries.slice(0, tamperedMax - 1).map(([key]) => key);
    expect(await memory.tier.getMany(few)).toEqual(few.map(() => undefined));
    tick();
    expect(market.released).toEqual([]);
    await memory.tier.getMany(entries.map(([key]) => key));
    expect(memory.tier.stats()).toMatchObject({ entries: 0, capacityBytes: 0 });
    // This broker does not listen and offers the producer again, in vain.
    await until(() => market.complaints.length > 1);
    expect(market.complaints).toContain(grant!.leaseId.toString('hex'));
    expect(memory.leases()).toEqual([]);
    expect(memory.stats().lastFailure).toContain('changed what was stored');
  });
});

describe('leased memory', () => {
  it('is leased, used, and given back', async () => {
    const memory = await open();
    await memory.tier.putMany([entry]);
    expect(await memory.tier.getMany([entry[0]])).toEqual([entry[1]]);
    expect(memory.stats()).toMatchObject({ leases: 1, leasedSlabs: 4, charged: 1, requests: 1 });
    expect(memory.leases()).toMatchObject([{ slabs: 4, slabBytes, open: true, price: 0.01 }]);
    await memory.close();
    expect(market.released).toHaveLength(1);
    expect(server.stats().leases).toBe(0);
    expect(memory.stats()).toMatchObject({ leases: 0, charged: 0.75 });
    expect(await memory.tier.getMany([entry[0]])).toEqual([undefined]);
  });

  it('follows a plan: more, less, and never for more than the budget', async () => {
    let plan: LeasePlan = { slabs: 2, budget: 1 };
    const memory = await open({ slabs: 2, plan: () => plan });
    // Nothing is known of slabs yet: 2 of 64 MiB are an eighth of a GiB.
    expect(market.maxPrices).toEqual([8]);
    plan = { slabs: 5, budget: 1 };
    await until(() => memory.stats().leasedSlabs === 5);
    const spent = (0.01 * 2) / 1024;
    expect(market.maxPrices[1]).toBeCloseTo((1 - spent) * (1024 / 3), 6);
    plan = { slabs: 3, maxPrice: 7 };
    await until(() => market.released.length === 1);
    expect(memory.stats().leasedSlabs).toBe(3);
  });

  it('is extended before its end, and again after the broker was away', async () => {
    const memory = await open({ leaseSeconds: 60 });
    market.failing = unavailable;
    nowMs += 45_000;
    await until(() => memory.stats().brokerFailures === 1);
    tick();
    expect(memory.stats()).toMatchObject({
      brokerFailures: 1,
      leasedSlabs: 4,
      lastFailure: unavailable.message,
    });
    market.failing = undefined;
    nowMs += 1000;
    await until(() => memory.stats().extensions === 1);
    expect(server.leases()[0]?.expiresAtMs).toBe(memory.leases()[0]?.expiresAtMs);
    // Extensions are in whole seconds.
    expect(Math.abs(memory.leases()[0]!.expiresAtMs - nowMs - 60_000)).toBeLessThan(1000);
  });

  it.each([3_600_000, -3_600_000])('is held by a consumer whose clock is off by %d ms', async (offMs) => {
    nowMs += offMs;
    const memory = await open({ leaseSeconds: 60 });
    for (let look = 0; look < 5; look++) tick();
    expect(memory.stats()).toMatchObject({ requests: 1, extensions: 0, leasedSlabs: 4 });
    nowMs += 45_000;
    await until(() => memory.stats().extensions === 1);
    nowMs += 30_000;
    for (let look = 0; look < 5; look++) tick();
    expect(memory.stats()).toMatchObject({ requests: 1, extensions: 1, leasedSlabs: 4 });
    expect(market.released).toEqual([]);
  });

  it('is replaced when it is revoked: misses meanwhile, and nothing else', async () => {
    const memory = await open();
    await memory.tier.putMany([entry]);
    server.revoke(market.granted[0]!.leaseId);
    await until(() => memory.stats().leasedSlabs === 4 && memory.stats().lost.revoked === 1);
    expect(market.released).toEqual([market.granted[0]!.leaseId.toString('hex')]);
    expect(await memory.tier.getMany([entry[0]])).toEqual([undefined]);
    await memory.tier.putMany([entry]);
    expect(await memory.tier.getMany([entry[0]])).toEqual([entry[1]]);
  });

  it('is connected again when only the connection was lost', async () => {
    server.close();
    const port = await steadyPort();
    server = startServer(port);
    const memory = await open();
    server.close();
    await expect.poll(() => memory.stats().lost.closed).toBe(1);
    tick();
    await expect.poll(() => memory.stats().connectFailures).toBe(1);
    server = startServer(port);
    nowMs += 1000;
    await until(() => memory.stats().leasedSlabs === 4);
    expect(market.requestIds).toHaveLength(1);
  });

  it('is leased elsewhere when its producer does not come back', async () => {
    const memory = await open();
    server.close();
    await until(() => {
      nowMs += 1000;
      return market.released.length === 1;
    });
    server = startServer();
    await until(() => {
      nowMs += 1000;
      return memory.stats().leasedSlabs === 4;
    });
    expect(market.requestIds.length).toBeGreaterThan(1);
  });
});

describe('opening', () => {
  it('fails as the broker does, and leaves nothing leased', async () => {
    market.failing = new ExopoolError('EXOPOOL_NO_MEMORY', 'nobody has 4 slabs');
    await expect(open()).rejects.toMatchObject({ code: 'EXOPOOL_NO_MEMORY' });
    market.failing = undefined;
    server.setCapacity(3);
    await expect(open()).rejects.toMatchObject({ code: 'EXOPOOL_UNAVAILABLE' });
    expect(market.released).toHaveLength(1);
    await expect(open({ slabs: 0 })).rejects.toMatchObject({ code: 'EXOPOOL_INVALID' });
  });

  it('fails when the answer is lost, and gives back what that had leased', async () => {
    const granted = new Map<string, LeaseGrant[]>();
    const request = market.requestLease.bind(market);
    market.requestLease = async (wish) => {
      const before = granted.get(wish.requestId!);
      if (before !== undefined) return before;
      granted.set(wish.requestId!, await request(wish));
      throw new ExopoolError('EXOPOOL_TIMEOUT', 'the broker did not answer in time');
    };
    await expect(open()).rejects.toMatchObject({ code: 'EXOPOOL_TIMEOUT' });
    expect(market.granted).toHaveLength(1);
    expect(market.released).toEqual([market.granted[0]!.leaseId.toString('hex')]);
  });

  it('may start with nothing, and retries a request under its id until it is answered', async () => {
    market.failing = unavailable;
    const memory = await open({ minimumSlabs: 0 });
    expect(memory.stats()).toMatchObject({ leasedSlabs: 0 });
    await memory.tier.putMany([entry]);
    expect(memory.tier.stats().rejected).toBe(1);
    market.failing = undefined;
    nowMs += 1000;
    await until(() => memory.stats().leasedSlabs === 4);
    expect(market.requestIds[1]).toBe(market.requestIds[0]);
  });

  it('closes while a session is being opened', async () => {
    let release = (): void => undefined;
    const connect: RemoteMemoryDependencies['connect'] = async (options) => {
      await new Promise<void>((resolve) => (release = resolve));
      return SlabSession.connect(options);
    };
    const opening = open({ minimumSlabs: 0 }, { connect });
    await expect.poll(() => market.granted).toHaveLength(1);
    release();
    await (await opening).close();
    expect(server.stats().leases).toBe(0);
    expect(market.released).toHaveLength(1);
  });
});
