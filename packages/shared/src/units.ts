/** Sizes, counts and addresses as people write and read them. */
import { ExopoolError } from './errors.js';

/** 1024 bytes. */
export const KiB = 1024;
/** 1024 KiB. */
export const MiB = 1024 * KiB;
/** 1024 MiB. */
export const GiB = 1024 * MiB;

const factors: Readonly<Record<string, number>> = { '': 1, k: KiB, m: MiB, g: GiB, t: 1024 * GiB };

/**
 * Parses a size: "64", "64K", "64 MiB", "1.5g". Units are powers of 1024.
 * @returns bytes. @throws ExopoolError `EXOPOOL_INVALID` for anything else.
 */
export function parseBytes(text: string): number {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?\s*$/i.exec(text);
  const bytes = match === null ? NaN : Number(match[1]) * factors[match[2]!.toLowerCase()]!;
  if (!Number.isSafeInteger(Math.round(bytes))) {
    throw new ExopoolError('EXOPOOL_INVALID', `"${text}" is not a size: write bytes, or 64K, 64M, 2G`);
  }
  return Math.round(bytes);
}

/** Formats a size: "1.5 GiB", "312 B". */
export function formatBytes(bytes: number): string {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB'];
  let value = bytes;
  let unit = 0;
  while (Math.abs(value) >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 || Math.abs(value) >= 100 ? value.toFixed(0) : value.toFixed(1)} ${units[unit]!}`;
}

/** Formats a count: "12,345". */
export function formatCount(count: number): string {
  return Math.round(count).toLocaleString('en-US');
}

/**
 * Splits "host:port", "[::1]:80" or "80".
 * @param defaultHost of a bare port. Default 127.0.0.1. @throws ExopoolError `EXOPOOL_INVALID` for anything else.
 */
export function parseEndpoint(text: string, defaultHost = '127.0.0.1'): { host: string; port: number } {
  const match = /^(?:\[([^\]]+)\]:|([^:\s]+):)?(\d{1,5})$/.exec(text);
  const port = match === null ? NaN : Number(match[3]);
  if (match === null || port > 65535) {
    throw new ExopoolError('EXOPOOL_INVALID', `"${text}" is not an address: write HOST:PORT or PORT`);
  }
  return { host: match[1] ?? match[2] ?? defaultHost, port };
}
