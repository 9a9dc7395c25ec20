/**
 * Sends the same random commands to this front end and to a real Redis. Every byte of every reply must be the same,
 * except in replies that depend on the clock.
 */
import { needs } from '@exopool/house';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openLeasedCache, type LeasedCache } from '../../testing/leased-cache.js';
import { randomCommand, random, type Random } from '../../testing/random-commands.js';
import { startRedis, whyNoRedis, type RealRedis } from '../../testing/real-redis.js';
import { RespServer } from './resp-server.js';
import { request, WireClient, type Word } from '../../testing/resp-wire.js';

const MiB = 1024 * 1024;
const commandCount = process.env['EXOPOOL_TEST_ALL'] === '1' ? 100_000 : 6_000;
const commandsPerFlush = 2000;

/** Commands whose replies are times: the two servers execute them at different moments. */
const timed = new Set(['ttl', 'pttl', 'expiretime', 'pexpiretime']);
const toleranceMs = 60_000;

describe('compared with redis-server', needs('redis', whyNoRedis()), () => {
  let leased: LeasedCache;
  let server: RespServer;
  let redis: RealRedis;
  beforeAll(async () => {
    leased = await openLeasedCache(8, 64 * MiB);
    redis = await startRedis();
    server = await RespServer.listen({ tier: leased.cache, port: 0 });
  });
  afterAll(async () => {
    await server.close();
    await redis.close();
    leased.close();
  });

  const both = async (): Promise<[WireClient, WireClient]> => [
    await WireClient.connect({ host: '127.0.0.1', port: server.port }),
    await WireClient.connect({ path: redis.path }),
  ];

  it.each([2, 3])(`${commandCount} random commands get the same replies, RESP%i`, async (protocol) => {
    const [ours, theirs] = await both();
    const draw = random(protocol);
    for (const each of [ours, theirs]) {
      await each.call('hello', String(protocol));
      await each.call('flushall');
    }
    for (let sent = 0, flushed = 0; sent < commandCount;) {
      // The log drops its oldest values. Flush before that happens.
      if (sent - flushed > commandsPerFlush) {
        flushed = sent;
        await compareKeys(ours, theirs);
        for (const each of [ours, theirs]) await each.call('flushall');
      }
      const commands = Array.from({ length: 1 + Math.floor(draw() * 60) }, () => randomCommand(draw));
      sent += commands.length;
      const bytes = Buffer.concat(commands.map(request));
      for (const each of [ours, theirs]) each.send(bytes);
      const [got, expected] = await Promise.all([
        ours.replies(commands.length),
        theirs.replies(commands.length),
      ]);
      commands.forEach((command, index) => compare(command, got[index]!, expected[index]!));
    }
    await compareKeys(ours, theirs);
    // A lost value would be a correct miss, which Redis does not have.
    expect(leased.cache.stats().evictions).toBe(0);
    ours.close();
    theirs.close();
  });

  it('malformed requests end the same way', async () => {
    for (const bytes of hostile) {
      const [ours, theirs] = await both();
      for (const each of [ours, theirs])
        each.send(Buffer.concat([bytes, request(['ping']), request(['quit'])]));
      const [got, expected] = await Promise.all([ours.rest(), theirs.rest()]);
      expect([bytes.toString('latin1').slice(0, 80), got]).toEqual([
        bytes.toString('latin1').slice(0, 80),
        expected,
      ]);
    }
  });

  it('inline commands are split the same way', async () => {
    const [ours, theirs] = await both();
    const draw = random(9);
    const alphabet = ['a', '"', "'", '\\', ' ', 'x41', 'n', '\t', 'é', '\\x', '\v'];
    for (let count = 0; count < 300; count++) {
      const text = Array.from({ length: 1 + Math.floor(draw() * 8) }, () => pick(draw, alphabet)).join('');
      const line = Buffer.from(`echo ${text}\r\n`);
      for (const each of [ours, theirs]) each.send(line);
      const [[got], [expected]] = await Promise.all([ours.replies(1), theirs.replies(1)]);
      expect([text, got?.toString('latin1')]).toEqual([text, expected?.toString('latin1')]);
      if (expected!.toString().startsWith('-ERR Protocol')) {
        const again = await both();
        for (const each of [ours, theirs]) each.close();
        again.forEach((each) => each.close());
        return;
      }
    }
  });
});

function pick<T>(draw: Random, from: readonly T[]): T {
  return from[Math.floor(draw() * from.length)]!;
}

function compare(command: readonly Word[], got: Buffer, expected: Buffer): void {
  const [name] = command;
  const [ours, theirs] = [got.toString('latin1'), expected.toString('latin1')];
  if (ours === theirs) return;
  if (timed.has(String(name).toLowerCase()) && ours.startsWith(':') && theirs.startsWith(':')) {
    const [a, b] = [Number(ours.slice(1)), Number(theirs.slice(1))];
    if (a > 0 && b > 0 && Math.abs(a - b) <= toleranceMs) return;
  }
  expect({ command: command.map(String), reply: ours.slice(0, 500) }).toEqual({
    command: command.map(String),
    reply: theirs.slice(0, 500),
  });
}

/** Orders differ, sets must not. */
async function compareKeys(...clients: WireClient[]): Promise<void> {
  const sets = [];
  for (const client of clients) {
    const found = new Set<string>();
    let cursor = '0';
    do {
      const reply = await client.call('scan', cursor, 'count', '7');
      const words = reply.split('\r\n');
      cursor = words[2]!;
      for (let at = 5; at < words.length; at += 2) found.add(words[at]!);
    } while (cursor !== '0');
    sets.push([...found].sort());
  }
  expect(sets[0]).toEqual(sets[1]);
}

const hostile = [
  '*x\r\n',
  '*1\r\n+get\r\n',
  '*1\r\n$x\r\n',
  '*1\r\n$-1\r\n',
  '*1\r\n$8388609\r\n',
  '*2\r\n$4\r\nping\r\n:5\r\n',
  '*1\r\n\r\n',
  '*99999999999999999999\r\n',
  '*+1\r\n',
  '*01\r\n$4\r\nping\r\n',
  '*1\r\n$04\r\nping\r\n',
  '*0\r\n',
  '*-1\r\n',
  '*-5\r\n',
  '\r\n',
  '\n\n\n',
  '   \r\n',
  'ping\n',
  'ping "\r\n',
  "ping 'a'b\r\n",
  'echo "a\\x41\\n\\q" \r\n',
  "echo 'it\\'s \\n'\r\n",
  'echo a"b c"\r\n',
  '*1\r\n$4\r\npingXX',
  'a'.repeat(65_537),
  `*${'1'.repeat(65_540)}`,
  `*1\r\n$${'1'.repeat(65_540)}`,
].map((text) => Buffer.from(text, 'latin1'));
