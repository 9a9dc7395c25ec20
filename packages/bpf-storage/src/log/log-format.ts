/**
 * The byte layout of a write-ahead log: encoders and decoders, no I/O.
 *
 *   0        48                                                      all integers little-endian, frames at
 *   +--------+---------+-------+-------------------+-----            multiples of 8, offsets from the file's start
 *   | header | frame   | frame | frame             | ...
 *   +--------+---------+-------+-------------------+-----            one frame = one batch, whole or not at all
 *
 *   header    0  8 B  "EXOPOLOG"                   16  u64  log id, random
 *             8  u32  version                      24  u64  the log's own number
 *            12  u32  CRC32C of bytes 16 to 47     32  u64  number of the log before it, 0 for none
 *                                                  40  u64  where that log ends
 *
 *   frame     0  u32  CRC32C of the log id and bytes 4 to 31 of the frame
 *             4  u32  CRC32C of the payload
 *             8  u64  where the frame starts
 *            16  u64  the sync mark: up to here the log was known to be on disk when the frame was written
 *            24  u32  bytes of the payload         28  u8  type, 1     29  3 zeroes
 *            32       payload, then zeroes up to a multiple of 8
 *
 *   payload   operations one after the other: u8 kind (0 put, 2 delete), u8 0, u16 bytes of the key, u32 bytes of
 *             the value, key, value
 *
 * The frame header has its own checksum, which includes the random id of the log. So a header can be told from a value
 * that looks like one, and its length can be trusted before the payload is read.
 */
import { entryDelete, entryHeaderBytes, entryPut } from '@exopool/native/contracts';
import { crc32c } from '@exopool/native/internal';
import { ExopoolError } from '@exopool/shared';
import { tombstone, type Entry } from '../format/entry.js';
import { readUint64, writeUint64 } from '../format/format.js';
import { corrupt } from '../format/page-view.js';

export const logMagic = 'EXOPOLOG';
export const logVersion = 1;
export const logHeaderBytes = 48;
export const frameHeaderBytes = 32;
/** Frames start at multiples of this, so a search for a frame tries one offset in eight. */
export const frameAlignment = 8;
/** The most encoded bytes of one batch. A batch is in memory twice while it is written; use a load for more. */
export const batchBytesMax = 256 * 1024 * 1024;

const headerField = { version: 8, checksum: 12, id: 16, number: 24, previous: 32, previousEnd: 40 } as const;
const frameField = { checksum: 0, payloadChecksum: 4, offset: 8, synced: 16, length: 24, type: 28 } as const;
const batchType = 1;
export const operationHeaderBytes = entryHeaderBytes;

/** The end of a log. Bytes past it do not belong to the store. */
export interface LogEnd {
  readonly number: number;
  /** Bytes from the file's start. */
  readonly end: number;
}

/** The predecessor of a store's first log. */
export const noLog: LogEnd = { number: 0, end: 0 };

export interface LogHeader {
  readonly id: bigint;
  readonly number: number;
  readonly previous: LogEnd;
}

export function encodeLogHeader({ id, number, previous }: LogHeader): Buffer {
  const bytes = Buffer.alloc(logHeaderBytes);
  bytes.write(logMagic, 'latin1');
  bytes.writeUInt32LE(logVersion, headerField.version);
  bytes.writeBigUInt64LE(id, headerField.id);
  writeUint64(bytes, number, headerField.number);
  writeUint64(bytes, previous.number, headerField.previous);
  writeUint64(bytes, previous.end, headerField.previousEnd);
  bytes.writeUInt32LE(crc32c(bytes.subarray(headerField.id)), headerField.checksum);
  return bytes;
}

/** @throws ExopoolError `EXOPOOL_CORRUPT` or `EXOPOOL_VERSION`, naming `path`. */
export function decodeLogHeader(bytes: Buffer, path: string): LogHeader {
  if (bytes.length < logHeaderBytes || bytes.toString('latin1', 0, logMagic.length) !== logMagic) {
    throw corrupt(path, 0, 'it is not a log of this program');
  }
  const version = bytes.readUInt32LE(headerField.version);
  if (version > logVersion) {
    const message = `${path} has version ${version}, this program knows versions up to ${logVersion}; use a newer exopool`;
    throw new ExopoolError('EXOPOOL_VERSION', message);
  }
  const checksum = crc32c(bytes.subarray(headerField.id, logHeaderBytes));
  if (version !== logVersion || bytes.readUInt32LE(headerField.checksum) !== checksum) {
    throw corrupt(path, 0, 'the checksum of the header does not match');
  }
  return {
    id: bytes.readBigUInt64LE(headerField.id),
    number: readUint64(bytes, headerField.number),
    previous: {
      number: readUint64(bytes, headerField.previous),
      end: readUint64(bytes, headerField.previousEnd),
    },
  };
}

/** The start value of the checksums of a log's frames. */
export function frameSeed(id: bigint): number {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64LE(id);
  return crc32c(bytes);
}

/**
 * Encodes the frame of a batch. {@link placeFrame} completes it.
 * @throws ExopoolError `EXOPOOL_INVALID` for a batch of more than {@link batchBytesMax}.
 */
export function encodeFrame(entries: readonly Entry[]): Buffer {
  let length = 0;
  for (const { key, value } of entries) length += operationHeaderBytes + key.length + valueBytes(value);
  if (length > batchBytesMax) {
    const message = `a batch has at most ${batchBytesMax} bytes, not ${length}; split it, or use load()`;
    throw new ExopoolError('EXOPOOL_INVALID', message);
  }
  const frame = Buffer.allocUnsafe(frameEnd(0, length));
  frame.fill(0, 0, frameHeaderBytes);
  let at = frameHeaderBytes;
  for (const entry of entries) at = writeOperation(frame, at, entry);
  frame.fill(0, at);
  frame.writeUInt32LE(crc32c(frame.subarray(frameHeaderBytes, at)), frameField.payloadChecksum);
  frame.writeUInt32LE(length, frameField.length);
  frame.writeUInt8(batchType, frameField.type);
  return frame;
}

/** The operations in a frame of {@link encodeFrame}. */
export function framePayload(frame: Buffer): Buffer {
  return frame.subarray(frameHeaderBytes, frameHeaderBytes + frame.readUInt32LE(frameField.length));
}

export interface FramePlace {
  /** See {@link frameSeed}. */
  readonly seed: number;
  /** Where the frame starts in the file. */
  readonly offset: number;
}

/** Completes a frame. After a failed write it may be placed again elsewhere. */
export function placeFrame(frame: Buffer, { seed, offset }: FramePlace, synced: number): void {
  writeUint64(frame, offset, frameField.offset);
  writeUint64(frame, synced, frameField.synced);
  frame.writeUInt32LE(headerChecksum(frame, 0, seed), frameField.checksum);
}

export interface FrameHeader {
  readonly payloadChecksum: number;
  /** The sync mark. */
  readonly synced: number;
  /** Bytes of the payload. */
  readonly length: number;
  /** Where the next frame starts. */
  readonly end: number;
}

/** The frame header at `bytes[at]`; `undefined` if these bytes are not the header of a frame at this place. */
export function decodeFrameHeader(bytes: Buffer, at: number, place: FramePlace): FrameHeader | undefined {
  if (at + frameHeaderBytes > bytes.length || !mayBeFrame(bytes, at, place.offset)) return undefined;
  if (bytes.readUInt32LE(at + frameField.checksum) !== headerChecksum(bytes, at, place.seed))
    return undefined;
  const length = bytes.readUInt32LE(at + frameField.length);
  const synced = readUint64(bytes, at + frameField.synced);
  const isBatch = bytes.readUInt8(at + frameField.type) === batchType && length <= batchBytesMax;
  if (!isBatch || synced > place.offset) return undefined;
  const payloadChecksum = bytes.readUInt32LE(at + frameField.payloadChecksum);
  return { payloadChecksum, synced, length, end: frameEnd(place.offset, length) };
}

/** The quick part of the check: a frame says where it starts. */
function mayBeFrame(bytes: Buffer, at: number, offset: number): boolean {
  return readUint64(bytes, at + frameField.offset) === offset;
}

function headerChecksum(bytes: Buffer, at: number, seed: number): number {
  return crc32c(bytes.subarray(at + frameField.payloadChecksum, at + frameHeaderBytes), seed);
}

function frameEnd(offset: number, payloadBytes: number): number {
  return offset + Math.ceil((frameHeaderBytes + payloadBytes) / frameAlignment) * frameAlignment;
}

function writeOperation(frame: Buffer, at: number, { key, value }: Entry): number {
  frame.writeUInt8(value === tombstone ? entryDelete : entryPut, at);
  frame.writeUInt8(0, at + 1);
  frame.writeUInt16LE(key.length, at + 2);
  frame.writeUInt32LE(valueBytes(value), at + 4);
  const keyAt = at + operationHeaderBytes;
  const valueAt = keyAt + key.copy(frame, keyAt);
  return value === tombstone ? valueAt : valueAt + value.copy(frame, valueAt);
}

function valueBytes(value: Entry['value']): number {
  return value === tombstone ? 0 : value.length;
}
