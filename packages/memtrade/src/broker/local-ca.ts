/**
 * TLS without a public authority: at its first start the broker makes a certificate authority of its own.
 *
 *   ca.pem, ca.key            self-signed, valid for ten years; clients get ca.pem and trust it
 *   server.pem, server.key    signed by the authority for the broker's host names, valid for ninety days
 *
 * Both are renewed when a third of their life is left. The authority keeps its key and name, so clients with the old
 * ca.pem still connect. All keys are ECDSA on P-256, have mode 0600, and never leave the folder.
 */
import 'reflect-metadata';
import { randomBytes, webcrypto } from 'node:crypto';
import { chmodSync, existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';
import { ExopoolError, toExopoolError } from '@exopool/shared';

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' } as const;
const dayMs = 86_400_000;
const authorityLifeMs = 3650 * dayMs;
const serverLifeMs = 90 * dayMs;
/** Certificates start a day back, for clients whose clocks are behind. */
const backdateMs = dayMs;
const renewShare = 1 / 3;
const authorityName = 'CN=exopool local CA';
/** Names of every broker, on its own machine. */
const localNames = ['localhost', '127.0.0.1', '::1'];

// The library's own types want the browser's globals.
x509.cryptoProvider.set(webcrypto as unknown as Parameters<typeof x509.cryptoProvider.set>[0]);

export interface ServerCertificate {
  /** The CA certificate that clients need. */
  readonly caFile: string;
  /** PEM. */
  readonly certificate: Buffer;
  /** PEM. */
  readonly privateKey: Buffer;
  /** The time of renewal, Unix ms. */
  readonly renewAtMs: number;
}

interface KeyedCertificate {
  readonly certificate: x509.X509Certificate;
  readonly keys: webcrypto.CryptoKeyPair;
}

/**
 * Reads the server's certificate from `folder`, and makes or renews it if necessary.
 * @throws ExopoolError `EXOPOOL_CORRUPT` for files that are no certificates or keys, or the file system's error.
 */
export async function serverCertificate(
  folder: string,
  names: readonly string[],
  nowMs: number,
): Promise<ServerCertificate> {
  const caFile = join(folder, 'ca.pem');
  const certificateFile = join(folder, 'server.pem');
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const authority = await loadAuthority(folder, caFile, nowMs);
    const allNames = [...new Set([...localNames, ...names])];
    let server = await load(certificateFile, join(folder, 'server.key'));
    if (server === undefined || !(await isGood(server, authority, allNames, nowMs))) {
      server = await issueServer(authority, allNames, nowMs);
      await save(server, certificateFile, join(folder, 'server.key'));
    }
    return {
      caFile,
      certificate: readFileSync(certificateFile),
      privateKey: readFileSync(join(folder, 'server.key')),
      renewAtMs: renewAt(server.certificate),
    };
  } catch (error) {
    throw toExopoolError(error, `cannot set up TLS in ${folder}`);
  }
}

async function loadAuthority(folder: string, caFile: string, nowMs: number): Promise<KeyedCertificate> {
  const keyFile = join(folder, 'ca.key');
  const loaded = await load(caFile, keyFile);
  if (loaded !== undefined && nowMs < renewAt(loaded.certificate)) return loaded;
  const keys = loaded?.keys ?? (await makeKeys());
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    ...validity(nowMs, authorityLifeMs),
    serialNumber: serialNumber(),
    name: authorityName,
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  await save({ certificate, keys }, caFile, keyFile);
  return { certificate, keys };
}

async function issueServer(
  authority: KeyedCertificate,
  names: string[],
  nowMs: number,
): Promise<KeyedCertificate> {
  const keys = await makeKeys();
  const certificate = await x509.X509CertificateGenerator.create({
    ...validity(nowMs, serverLifeMs),
    serialNumber: serialNumber(),
    subject: 'CN=exopool broker',
    issuer: authority.certificate.subject,
    publicKey: keys.publicKey,
    signingKey: authority.keys.privateKey,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth]),
      new x509.SubjectAlternativeNameExtension(names.map(asGeneralName)),
      await x509.AuthorityKeyIdentifierExtension.create(authority.keys.publicKey),
    ],
  });
  return { certificate, keys };
}

async function isGood(
  server: KeyedCertificate,
  authority: KeyedCertificate,
  names: readonly string[],
  nowMs: number,
): Promise<boolean> {
  const alternative = server.certificate.getExtension(x509.SubjectAlternativeNameExtension);
  const covered = new Set((alternative?.names.items ?? []).map(({ type, value }) => `${type} ${value}`));
  const wanted = new x509.GeneralNames(names.map(asGeneralName)).items;
  return (
    nowMs < renewAt(server.certificate) &&
    wanted.every(({ type, value }) => covered.has(`${type} ${value}`)) &&
    (await server.certificate.verify({ publicKey: authority.keys.publicKey, signatureOnly: true }))
  );
}

async function load(certificateFile: string, keyFile: string): Promise<KeyedCertificate | undefined> {
  if (!existsSync(certificateFile) || !existsSync(keyFile)) return undefined;
  try {
    const certificate = new x509.X509Certificate(readFileSync(certificateFile, 'utf8'));
    const pkcs8 = x509.PemConverter.decodeFirst(readFileSync(keyFile, 'utf8'));
    const privateKey = await webcrypto.subtle.importKey('pkcs8', pkcs8, algorithm, true, ['sign']);
    const publicKey = (await certificate.publicKey.export(algorithm, ['verify'])) as webcrypto.CryptoKey;
    return { certificate, keys: { privateKey, publicKey } };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).syscall !== undefined) throw error;
    const message = `${certificateFile} and ${keyFile} do not hold a certificate and its key: remove both to make new ones`;
    throw new ExopoolError('EXOPOOL_CORRUPT', message, { cause: error });
  }
}

/** Writes the key first: a key without a certificate does no harm, and a pair that is incomplete is made again. */
async function save(made: KeyedCertificate, certificateFile: string, keyFile: string): Promise<void> {
  const pkcs8 = await webcrypto.subtle.exportKey('pkcs8', made.keys.privateKey);
  writeWhole(keyFile, x509.PemConverter.encode(pkcs8, 'PRIVATE KEY'), 0o600);
  writeWhole(certificateFile, made.certificate.toString('pem'), 0o644);
}

function writeWhole(path: string, text: string, mode: number): void {
  writeFileSync(`${path}.new`, `${text}\n`, { mode });
  chmodSync(`${path}.new`, mode);
  renameSync(`${path}.new`, path);
}

async function makeKeys(): Promise<webcrypto.CryptoKeyPair> {
  return webcrypto.subtle.generateKey(algorithm, true, ['sign', 'verify']);
}

function validity(nowMs: number, lifeMs: number): { notBefore: Date; notAfter: Date } {
  return { notBefore: new Date(nowMs - backdateMs), notAfter: new Date(nowMs + lifeMs) };
}

function renewAt(certificate: x509.X509Certificate): number {
  const start = certificate.notBefore.getTime();
  const end = certificate.notAfter.getTime();
  return end - (end - start) * renewShare;
}

/** Positive, as RFC 5280 asks: the first byte's high bit is clear, and it is not zero. */
function serialNumber(): string {
  return `01${randomBytes(15).toString('hex')}`;
}

function asGeneralName(name: string): x509.GeneralName {
  return new x509.GeneralName(isIP(name) === 0 ? 'dns' : 'ip', name);
}
