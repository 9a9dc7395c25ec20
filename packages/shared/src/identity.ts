/**
 * Identities: an Ed25519 key pair each. The public key is the name; the seed is the secret.
 *
 * tweetnacl makes the pair and signs, because it takes the bare seed. It needs milliseconds in JavaScript, but it signs only
 * logins and lease tickets, never data. OpenSSL verifies, because strangers choose what is verified and how often.
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

/** Length of a seed, bytes. */
export const seedBytes = 32;
/** Length of a public key, bytes. */
export const publicKeyBytes = 32;
/** Length of a signature, bytes. */
export const signatureBytes = 64;

/** The DER bytes before an Ed25519 public key in its SubjectPublicKeyInfo (RFC 8410, section 4). */
const spkiPrefix = Buffer.from('302a300506032b6570032100', 'hex');

/**
 * An Ed25519 key pair.
 *
 * @example
 * ```js
 * import { Identity, verifySignature } from '@exopool/shared';
 *
 * const me = Identity.loadOrCreate('identity');
 * const message = Buffer.from('a lease');
 * console.log(verifySignature(message, me.sign(message), me.publicKey)); // true
 * ```
 */
export class Identity {
  /** 32 bytes: the name of the identity. */
  readonly publicKey: Buffer;
  /** 32 secret bytes. */
  readonly seed: Buffer;
  readonly #secretKey: Uint8Array;

  /** @param seed 32 secret bytes. Default: random. @throws ExopoolError `EXOPOOL_INVALID` for another length. */
  constructor(seed: Buffer = randomBytes(seedBytes)) {
    if (seed.length !== seedBytes) {
      throw new ExopoolError(
        'EXOPOOL_INVALID',
        `the seed of an identity must have ${seedBytes} bytes, not ${seed.length}`,
      );
    }
    const pair = nacl.sign.keyPair.fromSeed(seed);
    this.seed = Buffer.from(seed);
    this.publicKey = Buffer.from(pair.publicKey);
    this.#secretKey = pair.secretKey;
  }

  /** Returns the detached Ed25519 signature of `message`, 64 bytes. */
  sign(message: Uint8Array): Buffer {
    return Buffer.from(nacl.sign.detached(message, this.#secretKey));
  }

  /**
   * Reads the seed in the file `path` (64 hexadecimal digits). If there is no file, it creates one with mode 0600; missing
   * folders are created too. If several processes do so at once, one creates the file and the others read it.
   * @throws ExopoolError `EXOPOOL_CORRUPT` if the file is not an identity, `EXOPOOL_PERMISSION`, …
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
 * Writes the seed of `identity` to a file beside `path`, syncs it, and then names it `path`. So a power loss never leaves
 * an empty file, which would lose the identity and its balance in the market.
 * @returns the text that was written; `undefined` if another process was first.
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

/**
 * Returns whether `signature` is a signature of `message` under `publicKey`. Malformed bytes give false.
 * @param signature 64 bytes. @param publicKey 32 bytes.
 */
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
