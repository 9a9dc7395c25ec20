import { X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { serverCertificate } from './local-ca.js';

const dayMs = 86_400_000;
let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-ca-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const read = (name: string): string => readFileSync(join(folder, name), 'utf8');

it('makes an authority and a certificate for every name', async () => {
  const made = await serverCertificate(folder, ['broker.example', '10.0.0.7'], Date.now());
  const server = new X509Certificate(made.certificate);
  const authority = new X509Certificate(readFileSync(made.caFile));
  expect(server.verify(authority.publicKey)).toBe(true);
  expect(authority.ca).toBe(true);
  expect(server.checkHost('localhost')).toBe('localhost');
  expect(server.checkHost('broker.example')).toBe('broker.example');
  for (const ip of ['127.0.0.1', '::1', '10.0.0.7']) expect(server.checkIP(ip)).toBe(ip);
  expect(server.checkHost('elsewhere.example')).toBeUndefined();
  for (const key of ['ca.key', 'server.key']) expect(statSync(join(folder, key)).mode & 0o777).toBe(0o600);
});

it('keeps them, until a name is new or little time is left', async () => {
  const nowMs = Date.now();
  const first = await serverCertificate(folder, ['a.example'], nowMs);
  const authority = read('ca.pem');
  expect((await serverCertificate(folder, ['a.example'], nowMs + dayMs)).certificate).toEqual(
    first.certificate,
  );
  const renamed = await serverCertificate(folder, ['b.example'], nowMs);
  expect(renamed.certificate).not.toEqual(first.certificate);
  const renewed = await serverCertificate(folder, ['b.example'], renamed.renewAtMs);
  expect(renewed.certificate).not.toEqual(renamed.certificate);
  expect(read('ca.pem')).toBe(authority);
});

it('renews the authority with its key, so that clients with the old one go on', async () => {
  const nowMs = Date.now();
  await serverCertificate(folder, [], nowMs);
  const old = new X509Certificate(read('ca.pem'));
  const later = await serverCertificate(folder, [], nowMs + 3000 * dayMs);
  expect(read('ca.pem')).not.toBe(old.toString());
  expect(new X509Certificate(later.certificate).verify(old.publicKey)).toBe(true);
});

it('names files that are damaged', async () => {
  await serverCertificate(folder, [], Date.now());
  writeFileSync(join(folder, 'ca.pem'), 'not a certificate');
  await expect(serverCertificate(folder, [], Date.now())).rejects.toThrow(/ca\.pem.*remove both/);
});
