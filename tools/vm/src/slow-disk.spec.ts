import { mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { ByteQueue } from './byte-queue.js';
import { SlowDisk } from './slow-disk.js';

const bytes = 1 << 20;
let folder: string;
let disk: SlowDisk;
let socket: Socket;
let received: ByteQueue;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-slow-disk-'));
  const file = join(folder, 'image');
  writeFileSync(file, '');
  truncateSync(file, bytes);
  disk = await SlowDisk.start({ file, bytes, socket: join(folder, 'socket'), readMs: 1 });
  socket = connect(join(folder, 'socket'));
  received = new ByteQueue();
  socket.on('data', (chunk) => received.push(chunk));
});
afterEach(async () => {
  socket.destroy();
  await disk.close();
  rmSync(folder, { recursive: true, force: true });
});

async function take(count: number): Promise<Buffer> {
  for (;;) {
    const taken = received.take(count);
    if (taken !== undefined) return taken;
    await once(socket, 'data');
  }
}

function sendOption(kind: number, data = Buffer.alloc(0)): void {
  const head = Buffer.alloc(16);
  head.write('IHAVEOPT', 'latin1');
  head.writeUInt32BE(kind, 8);
  head.writeUInt32BE(data.length, 12);
  socket.write(Buffer.concat([head, data]));
}

function sendRequest(
  kind: number,
  handle: number,
  offset: number,
  length: number,
  data = Buffer.alloc(0),
): void {
  const head = Buffer.alloc(28);
  head.writeUInt32BE(0x25609513, 0);
  head.writeUInt16BE(kind, 6);
  head.writeBigUInt64BE(BigInt(handle), 8);
  head.writeBigUInt64BE(BigInt(offset), 16);
  head.writeUInt32BE(length, 24);
  socket.write(Buffer.concat([head, data]));
}

async function shakeHands(): Promise<bigint> {
  expect((await take(18)).subarray(0, 16).toString('latin1')).toBe('NBDMAGICIHAVEOPT');
  socket.write(Buffer.from([0, 0, 0, 3]));
  sendOption(8);
  expect((await take(20)).readUInt32BE(12)).toBe(0x80000001);
  sendOption(7, Buffer.alloc(6));
  const info = await take(32);
  expect((await take(20)).readUInt32BE(12)).toBe(1);
  return info.readBigUInt64BE(22);
}

it('keeps what is written, and answers each read by its handle', async () => {
  expect(await shakeHands()).toBe(BigInt(bytes));
  const data = Buffer.from('exopool');
  sendRequest(1, 1, 4096, data.length, data);
  expect((await take(16)).readBigUInt64BE(8)).toBe(1n);
  for (let handle = 2; handle < 10; handle += 1) sendRequest(0, handle, 4096, data.length);
  const handles = new Set<bigint>();
  for (let left = 8; left > 0; left -= 1) {
    const reply = await take(16 + data.length);
    handles.add(reply.readBigUInt64BE(8));
    expect(reply.subarray(16)).toEqual(data);
  }
  expect(handles.size).toBe(8);
  sendRequest(3, 20, 0, 0);
  expect((await take(16)).readUInt32BE(4)).toBe(0);
});

it('refuses what lies outside of the image, and hangs up on what is no request', async () => {
  await shakeHands();
  sendRequest(0, 1, bytes, 1);
  expect((await take(16)).readUInt32BE(4)).toBe(22);
  socket.write(Buffer.alloc(28));
  await once(socket, 'close');
});

it('takes bytes in any pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 9 })),
      fc.array(fc.nat(9)),
      (chunks, counts) => {
        const queue = new ByteQueue();
        let left = Buffer.concat(chunks);
        for (const chunk of chunks) queue.push(Buffer.from(chunk));
        for (const count of counts) {
          const taken = queue.take(count);
          if (count > left.length) expect(taken).toBeUndefined();
          else {
            expect(taken!.equals(left.subarray(0, count))).toBe(true);
            left = left.subarray(count);
          }
        }
      },
    ),
  );
});
