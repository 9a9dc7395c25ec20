/**
 * Keeps the broker's public key on disk. So a producer that starts while its broker is away can check tickets, and goes
 * on serving leases. Before the first contact a random key takes its place, and no ticket is valid.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import { Identity, publicKeyBytes } from '@exopool/shared';

export class BrokerKeyFile {
  readonly #path: string;
  #key: Buffer;

  /** @param identityFile the producer's; the key is kept beside it. */
  constructor(identityFile: string) {
    this.#path = `${identityFile}.broker-key`;
    this.#key = read(this.#path) ?? new Identity().publicKey;
  }

  get key(): Buffer {
    return this.#key;
  }

  /** Keeps the broker's key. @returns false when it is known already. */
  update(key: Buffer): boolean {
    if (key.equals(this.#key)) return false;
    this.#key = key;
    try {
      writeFileSync(`${this.#path}.new`, `${key.toString('hex')}\n`, { mode: 0o600 });
      renameSync(`${this.#path}.new`, this.#path);
    } catch {
      // This process knows the key. Only the next start has to wait for the broker.
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
