/**
 * Seals values so that the producer who holds them can neither read nor exchange them.
 *
 * A region of leased memory gets a fresh random key that is used for nothing else, and counts its writes: the count
 * is the nonce, and stays here. Key, slab, offset and length are associated data. So these do not verify:
 *   - another value, or a flipped bit              (tag)
 *   - an older value of the same place            (nonce: the count was another)
 *   - a value moved from another place or key      (associated data)
 *   - a value of an earlier lease                  (key)
 */
import { randomBytes } from 'node:crypto';
import {
  openMany,
  sealKeyBytes,
  sealMany,
  sealNonceBytes,
  sealTagBytes,
  type SealItem,
} from '@exopool/native';

export type SealMode = 'aes-128-gcm' | 'off';

/** Where a value is, and which write put it there. */
export interface SealedPlace {
  readonly key: Buffer;
  readonly slab: number;
  readonly offset: number;
  /** Bytes as stored. */
  readonly length: number;
  /** The region's count of writes when this one was made. */
  readonly write: number;
}

/** Bytes that sealing adds to a value. */
export function sealOverheadBytes(mode: SealMode): number {
  return mode === 'off' ? 0 : sealTagBytes;
}

/** The seal of one region. */
export class ValueSeal {
  readonly #key: Buffer | undefined;
  #writes = 0;

  constructor(mode: SealMode) {
    this.#key = mode === 'off' ? undefined : randomBytes(sealKeyBytes);
  }

  /** The number of the next write; never given twice. */
  nextWrite(): number {
    return ++this.#writes;
  }

  /** What to store for each value. Without sealing, the values themselves. */
  seal(values: readonly (readonly [SealedPlace, Buffer])[]): Buffer[] {
    if (this.#key === undefined) return values.map(([, value]) => value);
    return sealMany(
      this.#key,
      values.map(([place, value]) => itemOf(place, value)),
    );
  }

  /** The values again; `undefined` for each that is not what was stored there. */
  open(stored: readonly (readonly [SealedPlace, Buffer])[]): (Buffer | undefined)[] {
    if (this.#key === undefined) return stored.map(([, bytes]) => bytes);
    return openMany(
      this.#key,
      stored.map(([place, bytes]) => itemOf(place, bytes)),
    );
  }
}

function itemOf(place: SealedPlace, data: Buffer): SealItem {
  const nonce = Buffer.alloc(sealNonceBytes);
  // 48 bits: at a million writes a second, nine years of one lease.
  nonce.writeUIntLE(place.write, 0, 6);
  const associatedData = Buffer.allocUnsafe(12 + place.key.length);
  associatedData.writeUInt32LE(place.slab, 0);
  associatedData.writeUInt32LE(place.offset, 4);
  associatedData.writeUInt32LE(place.length, 8);
  place.key.copy(associatedData, 12);
  return { nonce, associatedData, data };
}
