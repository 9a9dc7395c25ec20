import { describe, expect, it } from 'vitest';
import { formatBytes, parseBytes, parseEndpoint } from './units.js';

describe('parseBytes', () => {
  it.each([
    ['0', 0],
    ['64', 64],
    ['64K', 65536],
    ['64 MiB', 64 * 1024 * 1024],
    ['1.5g', 1.5 * 1024 ** 3],
    ['2TB', 2 * 1024 ** 4],
  ])('reads %s', (text, bytes) => expect(parseBytes(text)).toBe(bytes));

  it.each(['', 'x', '-1', '1 2', '1e9', '64 Q', '9'.repeat(30), 'NaN'])('refuses "%s"', (text) => {
    expect(() => parseBytes(text)).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }));
  });
});

describe('formatBytes', () => {
  it.each([
    [0, '0 B'],
    [1023, '1023 B'],
    [1536, '1.5 KiB'],
    [64 * 1024 * 1024, '64.0 MiB'],
    [200 * 1024 * 1024, '200 MiB'],
    [1024 ** 5, '1024 TiB'],
  ])('writes %d', (bytes, text) => expect(formatBytes(bytes)).toBe(text));
});

describe('parseEndpoint', () => {
  it.each([
    ['7400', { host: '127.0.0.1', port: 7400 }],
    ['localhost:1', { host: 'localhost', port: 1 }],
    ['[::1]:65535', { host: '::1', port: 65535 }],
  ])('reads %s', (text, endpoint) => expect(parseEndpoint(text)).toEqual(endpoint));

  it.each(['', ':', 'host', 'host:', 'host:99999', '::1:80', 'a b:1'])('refuses "%s"', (text) => {
    expect(() => parseEndpoint(text)).toThrow(expect.objectContaining({ code: 'EXOPOOL_INVALID' }));
  });
});
