/**
 * The key that signs tickets, kept for starts at which the broker is away: leases that run are served all the same.
 * Until there is one a random key stands for it, whose owner nobody is.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Identity, publicKeyBytes } from '@exopool/shared';

export class BrokerKeyFile {
  readonly #path: string;
  #key: Buffer;

  /** @param identityFile of the producer; the key is kept beside it. */
  constructor(identityFile: string) {
    this.#path = `${identityFile}.broker-key`;
    this.#key = read(this.#path) ?? new Identity().publicKey;
  }

  get key(): Buffer {
    return this.#key;
  }

  /** Keeps another key. @returns false when it is the one that is known. */
  update(key: Buffer): boolean {
    if (key.equals(this.#key)) return false;
    this.#key = key;
    try {
      writeFileSync(`${this.#path}.new`, `${key.toString('hex')}\n`, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // It is known now all the same; the next start has to wait for the broker.
    }
    return true;
  }
}

function read(path: string): Buffer | undefined {
  try {
    const key = Buffer.from(readFileSync(path, 'latin1').trim(), 'hex');
    return key.length === publicKeyBytes ? key : undefined;
  } catch {
    return undefined;
  }
}
