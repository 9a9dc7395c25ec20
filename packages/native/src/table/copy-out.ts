/**
 * Values with memory of their own.
 *
 * A caller may transfer the memory of a value to another thread or a stream, which detaches all of it. Values that share
 * memory would be lost together, also those of Node's pool. So each value gets an allocation, which is the price of a
 * value that nobody else can change.
 */

/** Copies a part of `block`. A whole block that is only one value is returned as it is. */
export function copyOut(block: Buffer, at: number, length: number): Buffer {
  if (length === block.length) return block;
  const value = Buffer.allocUnsafeSlow(length);
  value.set(block.subarray(at, at + length));
  return value;
}
