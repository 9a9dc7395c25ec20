/** One session of the slab protocol, byte by byte: as the addon says it, as slab-bytes.ts does, and as it always was. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { skipWithout } from '@exopool/house';
import { expect, it } from 'vitest';
import { SLAB_VERSION } from '../contracts.js';
import {
  challengeMessage,
  consumer,
  frameMessage,
  helloMessage,
  makeEphemeral,
  makeTicket,
  prelude,
  producer,
  proofMessage,
  readyMessage,
  sessionKeys,
  type FrameFields,
} from '../testing/slab-bytes.js';

const packageFolder = fileURLToPath(new URL('../..', import.meta.url));
const golden = readFileSync(new URL('../testing/slab-golden.txt', import.meta.url), 'utf8');
/** Of the file. Another version of the protocol has another file. */
const goldenVersion = 2;

const nowMs = 1_000_000;
const lease = { slabs: 2, slabBytes: 8192, expiresAtMs: 2 * nowMs };
const allSlabs = 0xffff_ffff;

function ticketOf(serial: number, expiresAtMs: number): Buffer {
  return makeTicket({ ...lease, leaseId: Buffer.alloc(16, 4), issuedAtMs: nowMs, expiresAtMs, serial });
}

/** As slab-golden.cc has it. */
function sessionOfTypeScript(): string {
  const lines: string[] = [];
  const say = (name: string, bytes: Buffer): Buffer => {
    lines.push(`${name} ${bytes.toString('hex')}\n`);
    return bytes;
  };
  const [ours, theirs] = [makeEphemeral(Buffer.alloc(32, 0x11)), makeEphemeral(Buffer.alloc(32, 0x22))];
  const hello = say('hello', helloMessage(ours, ticketOf(0, lease.expiresAtMs)));
  const challenge = say('challenge', challengeMessage(hello, theirs, producer));
  const proof = say('proof', proofMessage(hello, challenge, consumer));
  const keys = sessionKeys(ours, theirs.publicKey, hello, challenge, proof);
  say('ready', readyMessage(keys.toConsumer, lease));

  let [asked, answered, request] = [0n, 0n, 0];
  const hear = (fields: FrameFields): Buffer =>
    frameMessage(keys.toConsumer, { length: 0, ...fields, sequence: ++answered });
  const ask = (
    name: string,
    fields: Omit<FrameFields, 'request'>,
    answer: Partial<FrameFields> = {},
  ): Buffer[] => {
    request += 1;
    say(name, frameMessage(keys.toProducer, { ...fields, request, sequence: ++asked }));
    return [hear({ type: fields.type, request, ...answer })];
  };
  const heard = (name: string, frames: Buffer[]): Buffer => say(name, Buffer.concat(frames));
  const value = Buffer.from('exopool!');

  heard('write-answer', ask('write', { type: 2, slab: 0, offset: 16, payload: value }));
  const read = Buffer.concat([Buffer.alloc(4), value, Buffer.alloc(4)]);
  heard('read-answer', ask('read', { type: 1, slab: 0, offset: 12, length: 16 }, { payload: read }));
  heard('bad-read-answer', ask('bad-read', { type: 1, slab: 0, offset: 8192, length: 1 }, { status: 1 }));
  heard('ping-answer', ask('ping', { type: 5 }));
  heard('extend-answer', ask('extend', { type: 4, payload: ticketOf(1, 3 * nowMs) }));
  heard('reclaim', [hear({ type: 7, request: 0, length: 1, offset: 5000 })]);
  heard('release-answer', ask('release', { type: 3, slab: 1 }));
  heard('gone', [hear({ type: 8, request: 0, payload: Buffer.from([1, 0, 0, 0]) })]);
  const released = ask('release-all', { type: 3, slab: allSlabs });
  heard('release-all-answer', [...released, hear({ type: 6, status: 7, request: 0 })]);

  const older = Buffer.from(hello);
  older.writeUInt8(1, 4);
  say('older-hello', older);
  say('refused', prelude(5, 2));
  return lines.join('');
}

it('are of the version that is spoken', () => {
  expect(SLAB_VERSION).toBe(goldenVersion);
});

it('are what the document says', () => {
  expect(sessionOfTypeScript()).toBe(golden);
});

it('are what the addon says', (ctx) => {
  const folder = mkdtempSync(path.join(tmpdir(), 'exopool-golden-'));
  try {
    const program = path.join(folder, 'golden');
    const words = [
      '-std=c++17',
      '-Iinclude',
      '-Iaddon',
      'src/testing/slab-golden.cc',
      '-o',
      program,
      '-lcrypto',
    ];
    const compiler = process.env['CXX'] ?? 'c++';
    const headers = spawnSync(compiler, ['-E', '-x', 'c++', '-'], { input: '#include <openssl/evp.h>\n' });
    if (headers.status !== 0) skipWithout(ctx, 'nbdkit', 'no header of OpenSSL');
    const built = spawnSync(compiler, words, { cwd: packageFolder, encoding: 'utf8' });
    expect(built.stderr).toBe('');
    expect(spawnSync(program, { encoding: 'utf8' }).stdout).toBe(golden);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
