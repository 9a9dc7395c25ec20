import { execFile, spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { needs, type Feature } from '@exopool/house';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { NbdDevice } from './nbd-device.js';
import type { NbdSession } from './nbd-session.js';
import { nbdSupport } from './nbd-support.js';
import { lyingProducer, NbdClient, portOf } from '../testing/nbd-wire.js';
import { isRunning, processIdentity } from '../machine/process.js';
import {
  consumer,
  hostileProducer,
  makeTicket,
  producer,
  slabBytes,
  startServer,
} from '../testing/slab-wire.js';

const MiB = 1024 * 1024;
const pageBytes = 4096;
const sizeBytes = 4 * MiB;
/** Of a producer on a busy machine. */
const timeoutMs = 60_000;
const support = nbdSupport();
const run = promisify(execFile);
const needsProgram = (feature: Feature, name: string): ReturnType<typeof needs> =>
  needs(feature, spawnSync(name, ['--version']).error?.message);

let folder: string;
let socket: string;
let device: NbdDevice;
const undo: (() => unknown)[] = [];

async function startDevice(name: string, size = sizeBytes, isSealed = true): Promise<NbdDevice> {
  const listen = { socket: path.join(folder, name) };
  return NbdDevice.start({ listen, sizeBytes: size, folder, bufferBytes: MiB, isSealed });
}

async function open(): Promise<NbdClient> {
  const client = await NbdClient.connect(socket);
  undo.push(() => client.close());
  return client;
}

/** The device gets slabs of a producer. */
async function lease(port: number, ticket = makeTicket()): Promise<NbdSession> {
  const { seed } = consumer;
  const session = await device.connect({
    host: '127.0.0.1',
    port,
    ticket,
    seed,
    producerKey: producer.publicKey,
    timeoutMs,
  });
  undo.push(() => session.release());
  return session;
}

describe('a block device', needs('nbdkit', support.available ? undefined : support.reason), () => {
  beforeAll(async () => {
    folder = mkdtempSync(path.join(tmpdir(), 'exopool-nbd-'));
    socket = path.join(folder, 'device');
    device = await startDevice('device');
  });
  afterEach(async () => {
    for (const step of undo.splice(0).reverse()) await step();
    const client = await NbdClient.connect(socket);
    await client.trim(0, sizeBytes);
    await client.close();
  });
  afterAll(async () => {
    await device.close();
    rmSync(folder, { recursive: true });
  });

  it('holds what was written, wherever it is', async () => {
    const server = startServer();
    undo.push(() => server.close());
    // Half of the device, so that pages are evicted.
    await lease(server.port, makeTicket({ slabs: 2 }));
    const client = await open();
    const other = await open();
    const range = fc.record({
      offset: fc.oneof(
        fc.nat(sizeBytes - 1),
        fc.nat(sizeBytes / pageBytes - 1).map((page) => page * pageBytes),
      ),
      length: fc.oneof(fc.integer({ min: 1, max: 400_000 }), fc.constantFrom(512, pageBytes, 64 * 1024)),
    });
    const step = fc.tuple(
      fc.constantFrom('write', 'write', 'write', 'read', 'read', 'trim', 'zero', 'flush', 'fua'),
      range,
      fc.integer(),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 40 }), async (steps) => {
        const model = Buffer.alloc(sizeBytes);
        await client.trim(0, sizeBytes);
        for (const [kind, { offset, length: wanted }, seed] of steps) {
          const length = Math.min(wanted, sizeBytes - offset);
          if (kind === 'write' || kind === 'fua') {
            const data = Buffer.alloc(length, `${seed} ${offset} `);
            data.copy(model, offset);
            await client.write(offset, data, { fua: kind === 'fua' });
          } else if (kind === 'zero') {
            model.fill(0, offset, offset + length);
            await client.zero(offset, length);
          } else if (kind === 'trim') {
            const [first, end] = [Math.ceil(offset / pageBytes), Math.floor((offset + length) / pageBytes)];
            if (end > first) model.fill(0, first * pageBytes, end * pageBytes);
            await client.trim(offset, length);
          } else if (kind === 'flush') {
            await client.flush();
          } else {
            expect((await other.read(offset, length)).equals(model.subarray(offset, offset + length))).toBe(
              true,
            );
          }
        }
        expect((await other.read(0, sizeBytes)).equals(model)).toBe(true);
      }),
      { numRuns: 8 },
    );
    const stats = await device.stats();
    expect(stats.readLeased).toBeGreaterThan(0);
    expect(stats.writtenLeased).toBeGreaterThan(0);
    expect(stats).toMatchObject({ tampered: 0, lost: 0, corrupt: 0, fileFailures: 0 });
  });

  it('holds what many write at the same time', async () => {
    const server = startServer();
    undo.push(() => server.close());
    await lease(server.port);
    const clients = await Promise.all(Array.from({ length: 4 }, open));
    const data = randomBytes(sizeBytes);
    const pieces = Array.from({ length: 512 }, (_, index) => index * 8192);
    await Promise.all(pieces.map((at, index) => clients[index % 4]!.write(at, data.subarray(at, at + 8192))));
    await clients[0]!.flush();
    expect(await device.stats()).toMatchObject({ dirty: 0 });
    const reads = await Promise.all(pieces.map((at, index) => clients[(index + 1) % 4]!.read(at, 8192)));
    expect(Buffer.concat(reads).equals(data)).toBe(true);
  });

  it('loses nothing with a producer, and goes on with the next', async () => {
    const first = startServer();
    undo.push(() => first.close());
    const session = await lease(first.port);
    const lost = new Promise((resolve) => session.onLost(resolve));
    const client = await open();
    const data = randomBytes(sizeBytes);
    const write = (from: number, end: number): Promise<unknown> =>
      Promise.all(
        Array.from({ length: (end - from) / 65_536 }, (_, index) => {
          const at = from + index * 65_536;
          return client.write(at, data.subarray(at, at + 65_536));
        }),
      );
    await write(0, sizeBytes / 2);
    expect((await device.stats()).leasedUsed).toBeGreaterThan(0);
    const second = write(sizeBytes / 2, sizeBytes);
    first.close();
    await second;
    expect(await lost).toBe('closed');
    expect((await client.read(0, sizeBytes)).equals(data)).toBe(true);
    expect(await device.stats()).toMatchObject({ leasedUsed: 0, leasedCapacity: 0, tampered: 0 });

    const next = startServer();
    undo.push(() => next.close());
    await lease(next.port);
    const before = await device.stats();
    for (let round = 0; round < 2; round++)
      expect((await client.read(0, MiB)).equals(data.subarray(0, MiB))).toBe(true);
    expect((await device.stats()).readLeased).toBeGreaterThan(before.readLeased);
  });

  it('gives back slabs that a producer asks for, its coldest, and keeps what was in them', async () => {
    const server = startServer();
    undo.push(() => server.close());
    const ticket = makeTicket({ slabs: 4 });
    await lease(server.port, ticket);
    const client = await open();
    const data = randomBytes(sizeBytes);
    await client.write(0, data);
    expect(server.ask(ticket.subarray(8, 24), 3, 60_000)).toBe(true);
    await expect.poll(async () => (await device.stats()).leasedCapacity).toBe(slabBytes / pageBytes);
    await expect.poll(() => server.stats().mappedBytes).toBe(slabBytes);
    expect((await client.read(0, sizeBytes)).equals(data)).toBe(true);
  });

  it('extends leases, and says why one cannot be used', async () => {
    const server = startServer();
    undo.push(() => server.close());
    const fields = { leaseId: randomBytes(16) };
    const session = await lease(server.port, makeTicket(fields));
    expect(session.slabs).toBe(2);
    await session.extend(makeTicket({ ...fields, serial: 1, expiresAtMs: Date.now() + 120_000 }));
    await expect(session.extend(makeTicket())).rejects.toMatchObject({ code: 'EXOPOOL_TICKET_INVALID' });
    const expired = makeTicket({ expiresAtMs: Date.now() - 1000 });
    await expect(lease(server.port, expired)).rejects.toMatchObject({ code: 'EXOPOOL_TICKET_EXPIRED' });
    await expect(lease(1)).rejects.toMatchObject({ code: 'EXOPOOL_UNAVAILABLE' });
  });

  it('has other bytes from a producer for tampered, and those of the file for its clients', async () => {
    const server = startServer();
    undo.push(() => server.close());
    let earlier: Buffer | undefined;
    const lies: Record<string, (payload: Buffer) => Buffer> = {
      'a flipped bit': (payload) => {
        payload[payload.length - 1]! ^= 1;
        return payload;
      },
      'what was there before': (payload) =>
        earlier?.length === payload.length ? earlier : (earlier = payload),
      'two pages exchanged': (payload) =>
        Buffer.concat([payload.subarray(pageBytes), payload.subarray(0, pageBytes)]),
      zeroes: (payload) => Buffer.alloc(payload.length),
    };
    for (const [name, lie] of Object.entries(lies)) {
      let isLying = false;
      const liar = await lyingProducer(server.port, (payload) =>
        isLying ? lie(payload) : (earlier = Buffer.from(payload)),
      );
      const session = await lease(portOf(liar));
      const client = await open();
      // The second write is what counts, the first what may be put back.
      const old = randomBytes(2 * pageBytes);
      await client.write(0, old);
      await client.flush();
      expect((await client.read(0, old.length)).equals(old)).toBe(true);
      const data = randomBytes(2 * pageBytes);
      await client.write(0, data);
      await client.flush();
      isLying = true;
      const before = await device.stats();
      expect((await client.read(0, data.length)).equals(data), name).toBe(true);
      const after = await device.stats();
      expect(after.tampered, name).toBeGreaterThan(before.tampered);
      expect(after.corrupt).toBe(0);
      await session.release();
      liar.close();
    }
  });

  it('without a seal shows a producer its pages, and leaves no socket', async () => {
    const server = startServer();
    undo.push(() => server.close());
    const data = randomBytes(2 * pageBytes);
    let hasSeen = false;
    const reader = await lyingProducer(server.port, (payload) => {
      hasSeen ||= payload.equals(data);
      return payload;
    });
    const plain = await startDevice('plain', sizeBytes, false);
    const { seed } = consumer;
    const place = { host: '127.0.0.1', port: portOf(reader), producerKey: producer.publicKey, timeoutMs };
    await plain.connect({ ...place, ticket: makeTicket(), seed });
    const client = await NbdClient.connect(path.join(folder, 'plain'));
    await client.write(0, data);
    await client.flush();
    expect((await client.read(0, data.length)).equals(data)).toBe(true);
    expect(hasSeen).toBe(true);
    await client.close();
    await plain.close();
    reader.close();
    expect(existsSync(path.join(folder, 'plain'))).toBe(false);
  });

  it('stands bytes that are no NBD', async () => {
    for (let round = 0; round < 50; round++) {
      const stranger = connect(socket);
      stranger.on('error', () => undefined);
      await once(stranger, 'connect');
      stranger.resume();
      const options = Buffer.concat([Buffer.from([0, 0, 0, 3]), Buffer.from('IHAVEOPT'), randomBytes(100)]);
      const isOver = new Promise((resolve) => stranger.once('close', resolve));
      stranger.end(round % 2 === 0 ? options : randomBytes(1 + round * 20));
      await isOver;
    }
    const client = await open();
    await client.write(0, Buffer.from('still there'));
    expect((await client.read(0, 11)).toString()).toBe('still there');
  });

  it('refuses what is outside of it', async () => {
    const client = await open();
    await expect(client.read(sizeBytes - 10, 20)).rejects.toThrow(/errno/);
    await expect(client.write(sizeBytes, Buffer.alloc(1))).rejects.toThrow(/errno/);
    expect(client.sizeBytes).toBe(sizeBytes);
  });

  it('cannot be where another one is', async () => {
    await expect(startDevice('device')).rejects.toMatchObject({ code: 'EXOPOOL_PORT_IN_USE' });
    await open();
    await expect(
      NbdDevice.start({
        listen: { socket: path.join(folder, 'x') },
        sizeBytes,
        folder: '/none',
        bufferBytes: MiB,
      }),
    ).rejects.toMatchObject({ code: 'EXOPOOL_NOT_FOUND' });
  });

  it('tells when its process ended by itself', async () => {
    const other = await startDevice('killed');
    process.kill(other.pid!, 'SIGKILL');
    expect(await other.failed).toMatchObject({
      code: 'EXOPOOL_IO',
      message: expect.stringMatching(/SIGKILL/) as string,
    });
    await expect(other.stats()).rejects.toMatchObject({ code: 'EXOPOOL_CLOSED' });
    await other.close();
  });

  it('outlives a process that was killed for as long as it has clients', async () => {
    const place = path.join(folder, 'orphan');
    const options = JSON.stringify({ listen: { socket: place }, sizeBytes, folder, bufferBytes: MiB });
    const script = `import { NbdDevice } from '@exopool/native/internal';
        const device = await NbdDevice.start(${options});
        console.log(device.pid);
        setInterval(() => undefined, 1000);`;
    const cwd = path.resolve(import.meta.dirname, '../..');
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd });
    const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
    const identity = processIdentity(Number(pid.toString()))!;
    const client = await NbdClient.connect(place);
    const data = randomBytes(MiB);
    await client.write(0, data);
    parent.kill('SIGKILL');
    await once(parent, 'close');
    expect((await client.read(0, MiB)).equals(data)).toBe(true);
    expect(isRunning(identity)).toBe(true);
    await client.close();
    await expect.poll(() => isRunning(identity)).toBe(false);
  });

  it('serves its clients while the process that keeps its leases is stopped', async () => {
    const place = path.join(folder, 'stopped');
    let gone: ((slab: number) => Buffer) | undefined;
    const leased = { slabs: 65_536, slabBytes: pageBytes };
    const server = await hostileProducer((frame) => {
      gone = (slab) => {
        const header = Buffer.alloc(32);
        header.writeUInt8(8, 0);
        header.writeUInt32LE(4, 20);
        const number = Buffer.alloc(4);
        number.writeUInt32LE(slab);
        return frame(header, number);
      };
      return Buffer.alloc(0);
    }, leased);
    undo.push(() => server.close());
    const accepted = once(server, 'connection') as Promise<[Socket]>;
    const hex = (bytes: Buffer): string => `Buffer.from('${bytes.toString('hex')}', 'hex')`;
    const script = `import { NbdDevice } from '@exopool/native/internal';
        const listen = ${JSON.stringify({ socket: place })};
        const folder = ${JSON.stringify(folder)};
        const device = await NbdDevice.start({ listen, sizeBytes: ${sizeBytes}, folder, bufferBytes: ${MiB} });
        await device.connect({ host: '127.0.0.1', port: ${portOf(server)}, ticket: ${hex(makeTicket(leased))},
          seed: ${hex(consumer.seed)}, producerKey: ${hex(producer.publicKey)}, timeoutMs: 3000 });
        console.log(device.pid);
        setInterval(() => undefined, 1000);`;
    const cwd = path.resolve(import.meta.dirname, '../..');
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { cwd });
    undo.push(() => parent.kill('SIGKILL'));
    const [pid] = (await once(parent.stdout, 'data')) as [Buffer];
    const identity = processIdentity(Number(pid.toString()))!;
    const [socket] = await accepted;
    parent.kill('SIGSTOP');
    // More than its socket takes, of news that it does not read.
    const news = Buffer.concat(Array.from({ length: 5000 }, (_, slab) => gone!(slab)));
    await new Promise((resolve) => socket.write(news, resolve));
    const client = await NbdClient.connect(place);
    const data = randomBytes(MiB);
    await client.write(0, data);
    expect((await client.read(0, MiB)).equals(data)).toBe(true);
    await client.close();
    parent.kill('SIGKILL');
    await expect.poll(() => isRunning(identity)).toBe(false);
  });

  describe('for the clients that there are', () => {
    const size = 32 * MiB;
    const uri = (): string => `nbd+unix:///?socket=${path.join(folder, 'clients')}`;
    let leased: NbdDevice;
    const server = support.available ? startServer({ capacitySlabs: 16 }) : undefined;
    beforeAll(async () => {
      leased = await startDevice('clients', size);
      const { seed } = consumer;
      const ticket = makeTicket({ slabs: 16 });
      const producerKey = producer.publicKey;
      await leased.connect({ host: '127.0.0.1', port: server!.port, ticket, seed, producerKey, timeoutMs });
    });
    afterAll(async () => {
      await leased.close();
      server?.close();
    });

    it('nbdinfo knows what it can', needsProgram('nbd-tools', 'nbdinfo'), async () => {
      const { stdout } = await run('nbdinfo', ['--json', uri()]);
      const { protocol, structured, exports } = JSON.parse(stdout) as {
        protocol: string;
        structured: boolean;
        exports: Record<string, unknown>[];
      };
      expect({ protocol, structured }).toEqual({ protocol: 'newstyle-fixed', structured: true });
      expect(exports[0]).toMatchObject({
        'export-size': size,
        can_flush: true,
        can_fua: true,
        can_multi_conn: true,
        can_trim: true,
        can_zero: true,
        block_size_preferred: pageBytes,
      });
    });

    it('nbdcopy gets back what it brought', needsProgram('nbd-tools', 'nbdcopy'), async () => {
      const [source, copy] = [path.join(folder, 'in'), path.join(folder, 'out')];
      const data = randomBytes(size);
      data.fill(0, 5 * MiB, 9 * MiB);
      writeFileSync(source, data);
      await run('nbdcopy', [source, uri()]);
      await run('nbdcopy', [uri(), copy]);
      expect(readFileSync(copy).equals(data)).toBe(true);
    });

    it('qemu-io reads its patterns', needsProgram('nbd-tools', 'qemu-io'), async () => {
      const steps = [
        'write -P 0xab 1000 9000',
        'read -P 0xab 1000 9000',
        'write -f -P 7 5M 64k',
        'discard 5M 4k',
        'read -P 0 5M 4k',
        'read -P 7 5124k 60k',
        'write -z 5124k 60k',
        'read -P 0 5M 64k',
        'aio_write -P 1 8M 1M',
        'aio_write -P 2 9M 1M',
        'aio_flush',
        'flush',
        'read -P 1 8M 1M',
        'read -P 2 9M 1M',
      ];
      const { stdout } = await run('qemu-io', ['-f', 'raw', ...steps.flatMap((step) => ['-c', step]), uri()]);
      expect(stdout).not.toMatch(/fail|error/i);
    });

    it('fio verifies what it wrote', needsProgram('fio', 'fio'), async () => {
      const words = ['--name=nbd', '--ioengine=nbd', `--uri=${uri()}`, '--rw=randrw', '--bsrange=512-64k'];
      const checks = [
        '--verify=crc32c',
        '--iodepth=16',
        `--size=${size}`,
        '--io_size=32m',
        '--output-format=json',
      ];
      const { stdout } = await run('fio', [...words, ...checks, '--bs_unaligned'], { cwd: folder });
      const { jobs } = JSON.parse(stdout.slice(stdout.indexOf('{'))) as { jobs: { error: number }[] };
      expect(jobs[0]).toMatchObject({ error: 0 });
      expect(await leased.stats()).toMatchObject({ tampered: 0, lost: 0, corrupt: 0 });
    });
  });
});
