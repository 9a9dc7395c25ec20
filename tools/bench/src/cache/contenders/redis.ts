/**
 * Redis with ioredis and auto-pipelining. It has a plain form, and a secured form as safe as the sealed cache: TLS, and
 * values that the client encrypts, so that the operator of the server cannot read them.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freePort } from '@exopool/demo/stack';
import { Redis } from 'ioredis';
import { listens } from '../../harvest/applications/caged-program.js';
import { needProgram } from '../../harvest/applications/programs.js';
import type { CacheContender } from './contender.js';

const plainName = 'ioredis';
const securedName = 'ioredis, TLS, encrypting';
export const redisNames = [plainName, securedName] as const;

const nonceBytes = 12;
const tagBytes = 16;
const cipher = 'aes-128-gcm';

export class RedisServer {
  private constructor(
    readonly port: number,
    readonly tlsPort: number,
    private readonly child: ChildProcess,
    private readonly folder: string,
  ) {}

  /** @throws ExopoolError `EXOPOOL_NOT_FOUND` without Redis or openssl. */
  static async start(signal: AbortSignal): Promise<RedisServer> {
    const program = needProgram('redis-server', 'redis-server');
    const openssl = needProgram('openssl', 'openssl');
    const folder = mkdtempSync(join(tmpdir(), 'exopool-bench-redis-'));
    const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
    const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    await promisify(execFile)(openssl, ['req', '-x509', ...curve, ...subject, '-keyout', key, '-out', cert]);
    const [port, tlsPort] = [await freePort(), await freePort()];
    const tls = ['--tls-port', String(tlsPort), '--tls-cert-file', cert, '--tls-key-file', key];
    const words = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
    const more = ['--tls-auth-clients', 'no', '--dir', folder];
    // The kernel kills it with this process.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...words, ...tls, ...more], {
      stdio: 'ignore',
    });
    await once(child, 'spawn');
    while (!(await listens({ host: '127.0.0.1', port }))) signal.throwIfAborted();
    return new RedisServer(port, tlsPort, child, folder);
  }

  plain(): CacheContender {
    const redis = new Redis({ host: '127.0.0.1', port: this.port, enableAutoPipelining: true });
    return contenderOf(plainName, redis);
  }

  secured(): CacheContender {
    const ca = readFileSync(join(this.folder, 'cert.pem'));
    const tls = { ca, servername: 'localhost' };
    const to = { host: '127.0.0.1', port: this.tlsPort, tls };
    // Its values differ from those of the plain client.
    const redis = new Redis({ ...to, db: 1, enableAutoPipelining: true });
    return sealing(contenderOf(plainName, redis), securedName, encryption());
  }

  async close(): Promise<void> {
    const ended = once(this.child, 'exit');
    if (this.child.kill('SIGKILL')) await ended;
    rmSync(this.folder, { recursive: true, force: true });
  }
}

interface Sealing {
  readonly seal: (value: Buffer, key: Buffer) => Buffer;
  readonly open: (stored: Buffer, key: Buffer) => Buffer;
}

/** Prepends a random nonce; the key is associated data, so values cannot be exchanged. Old values can be replayed. */
function encryption(): Sealing {
  const secret = randomBytes(16);
  return {
    seal: (value, key) => {
      const nonce = randomBytes(nonceBytes);
      const context = createCipheriv(cipher, secret, nonce).setAAD(key);
      return Buffer.concat([nonce, context.update(value), context.final(), context.getAuthTag()]);
    },
    open: (stored, key) => {
      const context = createDecipheriv(cipher, secret, stored.subarray(0, nonceBytes)).setAAD(key);
      context.setAuthTag(stored.subarray(-tagBytes));
      return Buffer.concat([context.update(stored.subarray(nonceBytes, -tagBytes)), context.final()]);
    },
  };
}

/** The client's own calls, without a layer between the program and the client. */
function contenderOf(name: string, redis: Redis): CacheContender {
  // A failed call rejects. Errors of the ending connection must not be printed.
  redis.on('error', () => undefined);
  return {
    name,
    by: 'ioredis',
    putMany: async (entries) => {
      await redis.mset(...entries.flat());
    },
    get: (key) => redis.getBuffer(key),
    getMany: (keys) => redis.mgetBuffer(...keys),
    close: async () => {
      await redis.quit();
    },
  };
}

function sealing(plain: CacheContender, name: string, { seal, open }: Sealing): CacheContender {
  return {
    ...plain,
    name,
    putMany: (entries) => plain.putMany(entries.map(([key, value]) => [key, seal(value, key)] as const)),
    get: async (key) => {
      const stored = await plain.get(key);
      return stored ? open(stored, key) : stored;
    },
    getMany: async (keys) => {
      const stored = await plain.getMany(keys);
      return stored.map((each, index) => (each ? open(each, keys[index]!) : each));
    },
  };
}
