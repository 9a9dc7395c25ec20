/**
 * Logins: a client proves that it owns an Ed25519 key, and gets a token for its calls.
 *
 *   client                              broker
 *     ── Challenge(public key) ──────────▶   a nonce, kept for this key for nonceLifeMs
 *     ◀─────────────────────── nonce ────
 *     ── Login(key, nonce, signature) ───▶   the nonce is used up, also by a failed login
 *     ◀─────────────────────── token ────   32 random bytes in hexadecimal, kept in memory only
 *
 * A restarted broker knows no token. Its clients get an error and log in again by themselves.
 */
import { randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import { ExopoolError, verifySignature } from '@exopool/shared';
import { nonceLifeMs, noncesMax, sessionLifeMs, sessionsMax } from '../protocol/limits.js';
import { loginMessage } from '../protocol/login.js';

const secretBytes = 32;

/** The clock as the caches want it: anything with `now()`, milliseconds. */
export interface Clock {
  now(): number;
}

export class Sessions {
  /** From nonce to the key that asked for it. */
  readonly #nonces: LRUCache<string, string>;
  /** From token to the key that it stands for. */
  readonly #tokens: LRUCache<string, string>;

  constructor(clock: Clock = Date) {
    // A resolution of 0: the clock is asked each time, not at most once a millisecond of real time.
    const common = { perf: clock, ttlResolution: 0 };
    this.#nonces = new LRUCache({ max: noncesMax, ttl: nonceLifeMs, ...common });
    this.#tokens = new LRUCache({ max: sessionsMax, ttl: sessionLifeMs, updateAgeOnGet: true, ...common });
  }

  challenge(publicKey: Buffer): Buffer {
    const nonce = randomBytes(secretBytes);
    this.#nonces.set(nonce.toString('hex'), publicKey.toString('hex'));
    return nonce;
  }

  /** @throws ExopoolError `EXOPOOL_DENIED`. */
  login(publicKey: Buffer, nonce: Buffer, signature: Buffer): string {
    const id = nonce.toString('hex');
    const owner = this.#nonces.get(id);
    this.#nonces.delete(id);
    if (owner !== publicKey.toString('hex')) {
      throw new ExopoolError(
        'EXOPOOL_DENIED',
        'the login nonce is unknown, used or expired: call Challenge again',
      );
    }
    if (!verifySignature(loginMessage(nonce), signature, publicKey)) {
      throw new ExopoolError(
        'EXOPOOL_DENIED',
        "the login's signature does not match its public key: sign the nonce",
      );
    }
    const token = randomBytes(secretBytes).toString('hex');
    this.#tokens.set(token, owner);
    return token;
  }

  /** The public key of a token in hexadecimal; `undefined` for an unknown or expired token. */
  publicKeyOf(token: string): string | undefined {
    return this.#tokens.get(token);
  }
}
