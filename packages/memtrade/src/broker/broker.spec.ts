import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect as connectHttp2 } from 'node:http2';
import { connect as connectTcp, createServer, type Socket } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { credentials, type ServiceError } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ExopoolError, Identity } from '@exopool/shared';
import { callsPerConnectionMax, watchersPerIdentityMax } from '../protocol/limits.js';
import { steadyPort } from '../testing/steady-port.js';
import { BrokerService } from '../protocol/load-proto.js';
import { openTicket } from '../protocol/ticket.js';
import { BrokerClient } from '../protocol/broker-client.js';
import { runBroker, type RunningBroker } from './broker.js';
import { brokerConfig, type BrokerConfig } from './config.js';
import { loginMessage } from '../protocol/login.js';
import { Sessions } from './sessions.js';

const slabBytes = 64 << 20;
let folder: string;
let broker: RunningBroker;
const clients: BrokerClient[] = [];
const producer = new Identity();
const consumer = new Identity();

const config = (more: Partial<BrokerConfig> = {}): BrokerConfig =>
  brokerConfig.parse({ stateDir: folder, port: 0, ...more });
const connect = async (identity: Identity, more: object = {}): Promise<BrokerClient> => {
  const client = await BrokerClient.connect({
    endpoint: broker.endpoint,
    caFile: broker.caFile,
    identity,
    timeoutMs: 60_000,
    ...more,
  });
  clients.push(client);
  return client;
};
const offer = async (client: BrokerClient, offeredSlabs: number): Promise<void> => {
  await client.registerProducer({ endpoint: '127.0.0.1:9', slabBytes });
  await client.reportUsage({ offeredSlabs, harvestedBytes: 0, cpuLoad: 0.5 });
};

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-broker-'));
  broker = await runBroker(config({ port: await steadyPort(), metricsPort: 0 }));
});
afterEach(async () => {
  for (const client of clients.splice(0)) client.close();
  await broker.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('broker over TLS', () => {
  it('leases, extends, releases, and tells the market', async () => {
    const [seller, buyer] = [await connect(producer), await connect(consumer)];
    await offer(seller, 8);
    const [lease] = await buyer.requestLease({ slabs: 3, seconds: 60 });
    expect(lease).toMatchObject({ slabs: 3, slabBytes, endpoint: '127.0.0.1:9', price: 0.005 });
    expect(lease!.producerKey).toEqual(producer.publicKey);
    expect(openTicket(lease!.ticket, buyer.brokerKey, Date.now()).consumerKey).toEqual(consumer.publicKey);

    const extended = await buyer.extendLease(lease!, 60);
    expect(extended.expiresAtMs).toBe(lease!.expiresAtMs + 60_000);
    expect((await buyer.extendLease(lease!, 60)).expiresAtMs).toBe(extended.expiresAtMs);
    expect(await buyer.getMarket()).toMatchObject({
      producers: 1,
      offeredSlabs: 8,
      leasedSlabs: 3,
      leases: 1,
    });

    const metrics = await (await fetch(`http://127.0.0.1:${broker.metricsPort!}/metrics`)).text();
    expect(metrics).toContain('exopool_broker_leased_slabs 3');

    const refunded = await buyer.releaseLease(lease!.leaseId);
    expect(refunded).toBeGreaterThan(0);
    const { released } = await seller.reportUsage({ offeredSlabs: 8, harvestedBytes: 0, cpuLoad: 0 });
    expect(released).toEqual([lease!.leaseId]);
  });

  it('streams the market until the watcher leaves', async () => {
    const client = await connect(consumer);
    const seen: number[] = [];
    for await (const market of client.watchMarket()) {
      seen.push(market.spotPrice);
      if (seen.length === 2) break;
    }
    expect(seen).toEqual([0.02, 0.02]);
  });

  it('streams to one identity so often, and to others all the same', async () => {
    const clients = [await connect(consumer), await connect(consumer)];
    const watch = (client: BrokerClient): AsyncIterator<unknown> =>
      client.watchMarket()[Symbol.asyncIterator]();
    const watches = Array.from({ length: watchersPerIdentityMax }, (_, index) => watch(clients[index % 2]!));
    await Promise.all(watches.map((each) => each.next()));
    await expect(watch(clients[0]!).next()).rejects.toMatchObject({ code: 'EXOPOOL_UNAVAILABLE' });
    const other = watch(await connect(producer));
    expect(await other.next()).toMatchObject({ done: false });
    await watches.pop()!.return!();
    await expect.poll(() => watch(clients[0]!).next()).toMatchObject({ done: false });
  });

  it('logs in once for all calls that find the session gone, or the last login failed', async () => {
    const client = await connect(consumer);
    const challenges = vi.spyOn(Sessions.prototype, 'challenge');
    const login = vi.spyOn(Sessions.prototype, 'login');
    const askOften = async (calls: number): Promise<void> => {
      challenges.mockClear();
      await Promise.all(Array.from({ length: calls }, () => client.getMarket()));
      expect(challenges).toHaveBeenCalledTimes(1);
    };
    try {
      await broker.close();
      broker = await runBroker(config({ port: broker.port }));
      login.mockImplementationOnce(() => {
        throw new ExopoolError('EXOPOOL_DENIED', 'not today');
      });
      await expect(retry(() => client.getMarket())).rejects.toThrow('not today');
      await askOften(3 * callsPerConnectionMax);

      const known = vi.spyOn(Sessions.prototype, 'publicKeyOf');
      for (let call = 0; call < 10; call += 1) known.mockReturnValueOnce(undefined);
      await askOften(10);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('gives the last slabs to one of two who race for them', async () => {
    const [one, two] = await Promise.all([connect(consumer), connect(new Identity())]);
    await offer(await connect(producer), 4);
    const results = await Promise.allSettled(
      [one, two].map((client) => client.requestLease({ slabs: 4, minimumSlabs: 4, seconds: 60 })),
    );
    const refused = results.filter((result) => result.status === 'rejected');
    expect(refused).toHaveLength(1);
    expect(refused[0]!.reason).toMatchObject({ code: 'EXOPOOL_NO_MEMORY' });
    expect((await one.getMarket()).leasedSlabs).toBe(4);
  });

  it('loses no lease in a restart, and its clients log in again', async () => {
    const [seller, buyer] = [await connect(producer), await connect(consumer)];
    await offer(seller, 4);
    const [lease] = await buyer.requestLease({ slabs: 4, seconds: 60, requestId: 'r' });
    await broker.close();
    await expect(buyer.getMarket()).rejects.toMatchObject({ code: 'EXOPOOL_UNAVAILABLE' });

    broker = await runBroker(config({ port: broker.port }));
    const back = await retry(() => seller.reportUsage({ offeredSlabs: 4, harvestedBytes: 0, cpuLoad: 0 }));
    expect(back.leasedSlabs).toBe(4);
    const [same] = await retry(() => buyer.requestLease({ slabs: 4, seconds: 60, requestId: 'r' }));
    expect(same!.leaseId).toEqual(lease!.leaseId);
    await expect(buyer.requestLease({ slabs: 1, seconds: 60 })).rejects.toMatchObject({
      code: 'EXOPOOL_NO_MEMORY',
    });
    expect((await buyer.extendLease(lease!, 30)).expiresAtMs).toBe(lease!.expiresAtMs + 30_000);
    expect((await buyer.getMarket()).revenue).toBeGreaterThan(0);
  });

  it('names what is wrong with a request', async () => {
    const client = await connect(consumer);
    const invalid = { code: 'EXOPOOL_INVALID' };
    await expect(client.requestLease({ slabs: 0, seconds: 60 })).rejects.toMatchObject(invalid);
    await expect(client.requestLease({ slabs: 1e6, seconds: 60 })).rejects.toThrow(/slabs is 1000000/);
    await expect(client.requestLease({ slabs: 1, seconds: 1e9 })).rejects.toThrow(/seconds is/);
    await expect(client.requestLease({ slabs: 1, seconds: 1, maxPrice: NaN })).rejects.toThrow(/max_price/);
    await expect(client.requestLease({ slabs: 1, seconds: 1, requestId: 'x'.repeat(65) })).rejects.toThrow(
      /request_id/,
    );
    await expect(client.releaseLease(Buffer.alloc(3))).rejects.toThrow(
      /lease_id has 3 bytes; it must have 16/,
    );
    await expect(client.registerProducer({ endpoint: 'nowhere', slabBytes })).rejects.toMatchObject(invalid);
    await expect(client.registerProducer({ endpoint: 'h:1', slabBytes: 4096 })).rejects.toThrow(/slabs have/);
    const report = { offeredSlabs: 1, harvestedBytes: 0, cpuLoad: NaN };
    await expect(client.reportUsage(report)).rejects.toThrow(/cpu_load/);
  });
});

describe('who is let in', () => {
  it('refuses forged logins and calls without one', async () => {
    const authority = credentials.createSsl(readFileSync(broker.caFile));
    const stub = new BrokerService(broker.endpoint, authority, {
      'grpc.ssl_target_name_override': 'localhost',
    });
    const nonce = await new Promise<Buffer>((resolve, reject) => {
      stub.challenge({ publicKey: consumer.publicKey }, (error, reply) =>
        error ? reject(error) : resolve(reply!.nonce),
      );
    });
    const signature = new Identity().sign(loginMessage(nonce));
    const forged = await new Promise<ServiceError | null>((resolve) => {
      stub.login({ publicKey: consumer.publicKey, nonce, signature }, (error) => resolve(error));
    });
    expect(forged?.metadata.get('exopool-code')).toEqual(['EXOPOOL_DENIED']);
    const bare = await new Promise<ServiceError | null>((resolve) =>
      stub.getMarket({}, (error) => resolve(error)),
    );
    expect(bare?.details).toMatch(/log in/);
    const short = await new Promise<ServiceError | null>((resolve) => {
      stub.challenge({ publicKey: Buffer.alloc(5) }, (error) => resolve(error));
    });
    expect(short?.details).toMatch(/has 5 bytes; it must have 32/);
    stub.close();
  });

  it('serves so many calls of a connection at a time', async () => {
    const { port } = broker;
    const session = connectHttp2(`https://127.0.0.1:${port}`, {
      ca: readFileSync(broker.caFile),
      servername: 'localhost',
    });
    const [settings] = (await once(session, 'remoteSettings')) as [{ maxConcurrentStreams: number }];
    expect(settings.maxConcurrentStreams).toBe(callsPerConnectionMax);
    session.destroy();
  });

  it('is found again when the connection is dead and nobody says so', async () => {
    // Between client and broker, something that forgets connections, as firewalls and dead machines do.
    const through: Socket[] = [];
    const proxy = createServer((near) => {
      const far = connectTcp(broker.port, '127.0.0.1');
      near.pipe(far).pipe(near);
      for (const socket of [near, far]) through.push(socket.on('error', () => undefined));
    }).listen(0, '127.0.0.1');
    await once(proxy, 'listening');
    const { port } = proxy.address() as { port: number };
    const client = await connect(consumer, { endpoint: `127.0.0.1:${port}`, timeoutMs: 2500 });
    await client.getMarket();
    for (const socket of through) socket.unpipe().pause();
    await expect(client.getMarket()).rejects.toThrow();
    await expect.poll(() => client.getMarket()).toMatchObject({ producers: 0 });
    client.close();
    for (const socket of through) socket.destroy();
    proxy.close();
  });

  it('is not trusted by clients with another CA', async () => {
    const other = mkdtempSync(join(tmpdir(), 'exopool-other-'));
    const stranger = await runBroker(config({ stateDir: other }));
    await expect(connect(consumer, { caFile: stranger.caFile })).rejects.toMatchObject({
      code: 'EXOPOOL_DENIED',
    });
    await stranger.close();
    rmSync(other, { recursive: true, force: true });
    await expect(connect(consumer, { caFile: join(folder, 'none.pem') })).rejects.toMatchObject({
      code: 'EXOPOOL_NOT_FOUND',
    });
  });
});

describe('what stands in its way', () => {
  it('says that a port or a state folder is taken', async () => {
    await expect(runBroker(config())).rejects.toMatchObject({ code: 'EXOPOOL_LOCKED' });
    const other = mkdtempSync(join(tmpdir(), 'exopool-other-'));
    await expect(runBroker(config({ stateDir: other, port: broker.port }))).rejects.toMatchObject({
      code: 'EXOPOOL_PORT_IN_USE',
    });
    rmSync(other, { recursive: true, force: true });
  });

  it('says that nobody is there, or that somebody is silent', async () => {
    const sockets: Socket[] = [];
    const silent = createServer((socket) => sockets.push(socket)).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as { port: number };
    const endpoint = `127.0.0.1:${port}`;
    await expect(connect(consumer, { endpoint, timeoutMs: 200 })).rejects.toMatchObject({
      code: 'EXOPOOL_TIMEOUT',
    });
    for (const socket of sockets) socket.destroy();
    silent.close();
    await once(silent, 'close');
    await expect(connect(consumer, { endpoint })).rejects.toThrow(
      `no broker at ${endpoint}: start one with \`exopool broker\`, or check --broker`,
    );
    await expect(connect(consumer, { endpoint: 'nonsense' })).rejects.toMatchObject({
      code: 'EXOPOOL_INVALID',
    });
  });
});

/** Until the client has found the restarted broker again; the test's own time limit ends it otherwise. */
async function retry<T>(work: () => Promise<T>): Promise<T> {
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if ((error as { code?: string }).code !== 'EXOPOOL_UNAVAILABLE') throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
