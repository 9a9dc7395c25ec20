/** The stored form of a value with its expiry: `expiry (8 bytes, Unix ms, 0: never) | value`. */
const expiryBytes = 8;

export function encodeValue(value: Buffer, expiresAtMs: number): Buffer {
  const stored = Buffer.allocUnsafe(expiryBytes + value.length);
  stored.writeDoubleLE(expiresAtMs, 0);
  value.copy(stored, expiryBytes);
  return stored;
}

/** @returns the value; `undefined` when it has expired, or for bytes that are too short. */
export function decodeValue(stored: Buffer | undefined, nowMs: number): Buffer | undefined {
  if (stored === undefined || stored.length < expiryBytes) return undefined;
  const expiresAtMs = stored.readDoubleLE(0);
  return expiresAtMs !== 0 && expiresAtMs <= nowMs ? undefined : stored.subarray(expiryBytes);
}
