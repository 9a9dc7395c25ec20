/**
 * Who somebody is: an Ed25519 key pair (tweetnacl). The public key is the name; the seed is the secret.
 *
 * Signing takes milliseconds in JavaScript, so identities sign logins and lease tickets, never data.
 */
import { randomBytes } from 'node:crypto';
import { chmodSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import nacl from 'tweetnacl';
import { ExopoolError, toExopoolError } from './errors.js';

/** Bytes of a seed, a public key and a signature. */
export const seedBytes = 32;
export const publicKeyBytes = 32;
export const signatureBytes = 64;

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

  /** Reads the seed at `path` (64 hexadecimal digits), or makes one there with mode 0600. */
  static loadOrCreate(path: string): Identity {
    const text = readIfThere(path);
    if (text !== undefined) {
      if (!/^[0-9a-f]{64}\s*$/.test(text)) {
        throw new ExopoolError(
          'EXOPOOL_CORRUPT',
          `${path} is not an identity: 64 hexadecimal digits are expected`,
        );
      }
      return new Identity(Buffer.from(text.trim(), 'hex'));
    }
    const identity = new Identity();
    try {
      mkdirSync(dirname(path), { recursive: true });
      writeFileSync(`${path}.new`, `${identity.seed.toString('hex')}\n`, { mode: 0o600 });
      chmodSync(`${path}.new`, 0o600);
      renameSync(`${path}.new`, path);
    } catch (error) {
      throw toExopoolError(error, `cannot write the identity ${path}`);
    }
    return identity;
  }
}

/** True when `signature` is `publicKey`'s over `message`; false for anything malformed. */
export function verifySignature(message: Uint8Array, signature: Uint8Array, publicKey: Uint8Array): boolean {
  if (signature.length !== signatureBytes || publicKey.length !== publicKeyBytes) return false;
  return nacl.sign.detached.verify(message, signature, publicKey);
}

function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw toExopoolError(error, `cannot read the identity ${path}`);
  }
}
