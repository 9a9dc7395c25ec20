import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { serverCertificate } from '../../broker/local-ca.js';
import { openLeasedCache, type LeasedCache } from '../../testing/leased-cache.js';
import { RespServer, type RespServerOptions } from './resp-server.js';
import { request, WireClient } from '../../testing/resp-wire.js';

const MiB = 1024 * 1024;
let leased: LeasedCache;
const undo: (() => Promise<void> | void)[] = [];
beforeAll(async () => {
  leased = await openLeasedCache(4, 16 * MiB);
});
afterAll(() => leased.close());
afterEach(async () => {
  for (const step of undo.splice(0).reverse()) await step();
});

async function serve(options: Partial<RespServerOptions> = {}): Promise<RespServer> {
  const server = await RespServer.listen({ tier: leased.cache, port: 0, ...options });
  undo.push(() => server.close());
  return server;
}

/** Resolves once everything written has arrived in leased memory. */
const settled = (server: RespServer): Promise<void> => expect.poll(() => server.keyspace.loadBytes).toBe(0);

async function connect(server: RespServer): Promise<WireClient> {
  const client = await WireClient.connect({ host: '127.0.0.1', port: server.port });
  undo.push(() => client.close());
  return client;
}

describe('who may use it', () => {
  it('says the password first', async () => {
    const client = await connect(await serve({ password: 'secret' }));
    expect(await client.call('get', 'a')).toBe('-NOAUTH Authentication required.\r\n');
    expect(await client.call('nope')).toMatch(/^-ERR unknown command/);
    expect(await client.call('hello', '3')).toMatch(/^-NOAUTH HELLO must be called/);
    expect(await client.call('auth', 'wrong')).toMatch(/^-WRONGPASS/);
    expect(await client.call('auth', 'somebody', 'secret')).toMatch(/^-WRONGPASS/);
    expect(await client.call('hello', '3', 'auth', 'default', 'secret', 'setname', 'me')).toMatch(/^%7/);
    expect(await client.call('client', 'getname')).toBe('$2\r\nme\r\n');
    expect(await client.call('get', 'a')).toBe('_\r\n');
    expect(await client.call('reset')).toBe('+RESET\r\n');
    expect(await client.call('get', 'a')).toMatch(/^-NOAUTH/);
    expect(await client.call('auth', 'secret')).toBe('+OK\r\n');
    expect(await client.call('quit')).toBe('+OK\r\n');
    expect(await client.rest()).toBe('');
  });

  it('is no more than it can serve', async () => {
    const server = await serve({ clientsMax: 1 });
    const first = await connect(server);
    expect(await first.call('ping')).toBe('+PONG\r\n');
    const second = await connect(server);
    expect(await second.rest()).toBe('-ERR max number of clients reached\r\n');
    first.close();
    await expect.poll(() => [...server.sessions()]).toEqual([]);
    expect(await (await connect(server)).call('ping')).toBe('+PONG\r\n');
  });
});

describe('values', () => {
  it('of lost memory are misses', async () => {
    const server = await serve();
    const client = await connect(server);
    await client.call('mset', 'a', '1', 'b', '2', 'c', '3', 'd', '4');
    await settled(server);
    leased.lose();
    expect(await client.call('get', 'a')).toBe('$-1\r\n');
    expect(await client.call('exists', 'b')).toBe(':0\r\n');
    expect(await client.call('set', 'c', 'x', 'xx')).toBe('$-1\r\n');
    expect(await client.call('incr', 'd')).toBe(':1\r\n');
    await leased.leaseAgain();
    expect(await client.call('set', 'a', 'again')).toBe('+OK\r\n');
    await settled(server);
    expect(await client.call('get', 'a')).toBe('$5\r\nagain\r\n');
  });

  it('may be of 8 MiB, and no longer', async () => {
    const server = await serve();
    const client = await connect(server);
    const value = Buffer.alloc(8 * MiB, 'v');
    expect(await client.call('set', 'long', value)).toBe('+OK\r\n');
    await settled(server);
    expect(await client.call('strlen', 'long')).toBe(`:${value.length}\r\n`);
    expect(await client.call('get', 'long')).toBe(`$${value.length}\r\n${value.toString()}\r\n`);
    expect(await client.call('append', 'long', 'x')).toMatch(/^-ERR string exceeds maximum/);
    expect(await client.call('setrange', 'long', String(8 * MiB), 'x')).toMatch(
      /^-ERR string exceeds maximum/,
    );
    client.send(`*3\r\n$3\r\nset\r\n$1\r\nk\r\n$${8 * MiB + 1}\r\n`);
    expect(await client.rest()).toBe('-ERR Protocol error: invalid bulk length\r\n');
  });

  it('change in one order, whoever asks', async () => {
    const server = await serve();
    const clients = await Promise.all(Array.from({ length: 8 }, () => connect(server)));
    await clients[0]!.call('set', 'n', '0');
    await settled(server);
    const batch = Buffer.concat(
      Array.from({ length: 500 }, () => [request(['incr', 'n']), request(['get', 'n'])]).flat(),
    );
    const seen = await Promise.all(
      clients.map(async (client) => {
        client.send(batch);
        return (await client.replies(1000)).map((reply) =>
          Number(/\d+\r\n$/.exec(reply.toString('latin1'))![0]),
        );
      }),
    );
    for (const values of seen) expect(values).toEqual([...values].sort((a, b) => a - b));
    const increments = seen.flatMap((values) => values.filter((_, index) => index % 2 === 0));
    expect(new Set(increments).size).toBe(4000);
    expect(await clients[0]!.call('get', 'n')).toBe('$4\r\n4000\r\n');
  });

  it('are read as they were when the read was ordered, also when replaced meanwhile', async () => {
    const client = await connect(await serve());
    await client.call('set', 'k', 'v0');
    for (let round = 0; round < 50; round++) {
      client.send(
        Buffer.concat([
          request(['get', 'k']),
          request(['set', 'k', `v${round + 1}`]),
          request(['get', 'k']),
          request(['set', 'k', `w`, 'get']),
          request(['getdel', 'k']),
          request(['get', 'k']),
          request(['set', 'k', `v${round + 1}`]),
        ]),
      );
      const now = `$${`v${round + 1}`.length}\r\nv${round + 1}\r\n`;
      const before = `$${`v${round}`.length}\r\nv${round}\r\n`;
      const replies = (await client.replies(7)).map((reply) => reply.toString('latin1'));
      expect(replies).toEqual([before, '+OK\r\n', now, now, '$1\r\nw\r\n', '$-1\r\n', '+OK\r\n']);
    }
  });
});

describe('clients that send and do not read', () => {
  it('are not read from, and get everything once they do', async () => {
    const server = await serve();
    const client = await connect(server);
    const value = Buffer.alloc(MiB, 'v');
    const keys = Array.from({ length: 40 }, (_, index) => `key ${index}`);
    for (const key of keys) await client.call('set', key, value);
    await settled(server);
    const other = await connect(server);
    client.pause();
    const rounds = 2;
    for (let round = 0; round < rounds; round++)
      client.send(Buffer.concat(keys.map((key) => request(['get', key]))));
    const commands = server.counts.commands;
    await expect.poll(() => server.counts.commands).toBeGreaterThan(commands + 5);
    expect(await other.call('ping')).toBe('+PONG\r\n');
    await settled(server);
    expect(server.counts.commands - commands).toBeLessThan(rounds * keys.length);
    client.resume();
    const replies = await client.replies(rounds * keys.length);
    expect(replies.every((reply) => reply.length === value.length + 12)).toBe(true);
  });

  it('get no replies that they do not want', async () => {
    const client = await connect(await serve());
    client.send(
      Buffer.concat(
        [
          ['client', 'reply', 'skip'],
          ['set', 'a', '1'],
          ['get', 'a'],
          ['client', 'reply', 'off'],
          ['get', 'a'],
          ['nope'],
          ['client', 'reply', 'on'],
          ['ping'],
        ].map(request),
      ),
    );
    expect((await client.replies(3)).join('')).toBe('$1\r\n1\r\n+OK\r\n+PONG\r\n');
  });
});

describe('clients that have sent everything', () => {
  it('get every reply, then the end', async () => {
    const server = await serve();
    const client = await connect(server);
    const value = Buffer.alloc(MiB, 'v');
    await client.call('set', 'k', value);
    await settled(server);
    // More than the server buffers for one client: it stops reading meanwhile.
    client.send(Buffer.concat(Array.from({ length: 20 }, () => request(['get', 'k']))));
    client.end();
    expect(await client.replies(20)).toHaveLength(20);
    expect(await client.rest()).toBe('');
    await expect.poll(() => [...server.sessions()].length).toBe(0);
  });
});

describe('TLS', () => {
  it('is what clients must speak when it is on', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'exopool-resp-'));
    undo.push(() => rmSync(folder, { recursive: true }));
    const { certificate, privateKey, caFile } = await serverCertificate(folder, [], Date.now());
    const server = await serve({ tls: { cert: certificate, key: privateKey } });
    const ca = readFileSync(caFile);
    const socket = connectTls({ port: server.port, host: '127.0.0.1', ca, servername: 'localhost' });
    undo.push(() => void socket.destroy());
    await once(socket, 'secureConnect');
    socket.write('PING\r\n');
    const [reply] = (await once(socket, 'data')) as [Buffer];
    expect(reply.toString()).toBe('+PONG\r\n');
    const plain = await connect(server);
    plain.send('PING\r\n');
    expect(await plain.rest()).not.toMatch(/PONG/);
  });
});
