/**
 * Who somebody is: an Ed25519 key pair. The public key is the name; the seed is the secret.
 *
 * tweetnacl makes the pair and signs, since it takes the bare seed; the milliseconds that it needs in JavaScript are for
 * logins and lease tickets, never for data. Strangers choose what is verified and how often, so OpenSSL does that.
 */
import { createPublicKey, randomBytes, verify } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { dirname } from 'node:path';
import nacl from 'tweetnacl';
import { ExopoolError, toExopoolError } from './errors.js';

/** Bytes of a seed, a public key and a signature. */
export const seedBytes = 32;
export const publicKeyBytes = 32;
export const signatureBytes = 64;

/** What stands before the 32 bytes of an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410, section 4), DER. */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

export class Identity {
  readonly publicKey: Buffer;
  readonly seed: Buffer;
  readonly #secretKey: Uint8Array;

  /** @param seed 32 secret bytes; random when left out. */
  constructor(seed: Buffer = randomBytes(seedBytes)) {
    if (seed.length !== seedBytes) {
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `an identity's seed has ${seedBytes} bytes, not ${seed.length}`,
      );
    }
    const pair = nacl.sign.keyPair.fromSeed(seed);
    this.seed = Buffer.from(seed);
    this.publicKey = Buffer.from(pair.publicKey);
    this.#secretKey = pair.secretKey;
  }

  /** Detached Ed25519 signature, 64 bytes. */
  sign(message: Uint8Array): Buffer {
    return Buffer.from(nacl.sign.detached(message, this.#secretKey));
  }

  /**
   * Reads the seed at `path` (64 hexadecimal digits), or makes one there with mode 0600. Of several processes that make
   * it at once one does, and the others read that.
   * @throws ExopoolError `EXOPOOL_CORRUPT` for a file that is none, `EXOPOOL_PERMISSION`, …
   */
  static loadOrCreate(path: string): Identity {
    const text = readIfThere(path) ?? create(path, new Identity()) ?? readIfThere(path);
    if (text !== undefined && /^[0-9a-f]{64}\s*$/.test(text))
      return new Identity(Buffer.from(text.trim(), 'hex'));
    const remedy = 'restore it from a copy, or remove it to get a new identity';
    const message = `${path} is not an identity: 64 hexadecimal digits are expected; ${remedy}`;
    throw new ExopoolError('EXOPOOL_CORRUPT', message);
  }
}

/**
 * Writes the seed of `identity` beside `path`, on disk before it gets that name: a name in the market, with what is owed
 * to it, must not be an empty file after power loss.
 * @returns what was written; `undefined` when somebody else was first.
 */
function create(path: string, identity: Identity): string | undefined {
  const text = `${identity.seed.toString('hex')}\n`;
  const unnamed = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    mkdirSync(dirname(path), { recursive: true });
    try {
      writeFileSync(unnamed, text, { mode: 0o600, flag: 'wx', flush: true });
      linkSync(unnamed, path);
    } finally {
      rmSync(unnamed, { force: true });
    }
    syncFolder(dirname(path));
    return text;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw toExopoolError(error, `cannot write the identity ${path}`);
  }
}

function syncFolder(folder: string): void {
  const fd = openSync(folder, 'r');
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** True when `signature` is `publicKey`'s over `message`; false for anything malformed. */
export function verifySignature(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== signatureBytes || publicKey.length !== publicKeyBytes) return false;
  const key = createPublicKey({ key: Buffer.concat([spkiPrefix, publicKey]), format: 'der', type: 'spki' });
  return verify(null, message, key, signature);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw toExopoolError(error, `cannot read the identity ${path}`);
  }
}
