import type * as nodeFs from 'node:fs';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createPublicKey, verify } from 'node:crypto';
import fc from 'fast-check';
import nacl from 'tweetnacl';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { Identity, verifySignature } from './identity.js';

/** What happens between the look for a file and its making. */
const fault = vi.hoisted(() => ({ beforeMaking: (): void => undefined }));
vi.mock('node:fs', async (importOriginal) => {
  const fs = await importOriginal<typeof nodeFs>();
  const mkdirSync: typeof fs.mkdirSync = (...words: Parameters<typeof fs.mkdirSync>) => {
    fault.beforeMaking();
    return fs.mkdirSync(...words);
  };
  return { ...fs, mkdirSync };
});

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'exopool-identity-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('Identity', () => {
  it('signs as RFC 8032 says (test 1)', () => {
    const seed = Buffer.from('9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60', 'hex');
    const identity = new Identity(seed);
    expect(identity.publicKey.toString('hex')).toBe(
      'd75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a',
    );
    expect(identity.sign(Buffer.alloc(0)).toString('hex')).toBe(
      'e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b',
    );
  });

  it('is understood by OpenSSL, which the native side uses', () => {
    const identity = new Identity();
    const message = Buffer.from('a lease');
    const key = createPublicKey({
      key: { kty: 'OKP', crv: 'Ed25519', x: identity.publicKey.toString('base64url') },
      format: 'jwk',
    });
    expect(verify(null, message, key, identity.sign(message))).toBe(true);
  });

  it('refuses a changed message, a changed signature and malformed input', () => {
    const identity = new Identity();
    const message = Buffer.from('a lease');
    const signature = identity.sign(message);
    expect(verifySignature(message, signature, identity.publicKey)).toBe(true);
    expect(verifySignature(Buffer.from('b lease'), signature, identity.publicKey)).toBe(false);
    signature[5]! ^= 1;
    expect(verifySignature(message, signature, identity.publicKey)).toBe(false);
    expect(verifySignature(message, Buffer.alloc(10), identity.publicKey)).toBe(false);
    expect(verifySignature(message, signature, Buffer.alloc(31))).toBe(false);
  });

  it('verifies what tweetnacl verifies, and nothing else', () => {
    const identity = new Identity(Buffer.alloc(32, 3));
    const flips = fc.record({
      part: fc.constantFrom('none', 'message', 'signature', 'key'),
      bit: fc.nat({ max: 255 }),
    });
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 200 }), flips, (message, { part, bit }) => {
        const signature = identity.sign(message);
        const key = Buffer.from(identity.publicKey);
        const changed = { none: undefined, message, signature, key }[part];
        if (changed !== undefined) changed[bit >> 3]! ^= 1 << (bit & 7);
        expect(verifySignature(message, signature, key)).toBe(part === 'none');
        expect(nacl.sign.detached.verify(message, signature, key)).toBe(part === 'none');
      }),
      { numRuns: 20 },
    );
  });

  it('takes no bytes for a key that are no point, and one form of a signature only', () => {
    const identity = new Identity(Buffer.alloc(32, 3));
    const message = Buffer.from('a lease');
    const signature = identity.sign(message);
    for (const fill of [0, 1, 2, 0x7f, 0xff])
      expect(verifySignature(message, signature, Buffer.alloc(32, fill))).toBe(false);
    // The same number modulo the order of the group: another signature, made without the key.
    expect(verifySignature(message, plusOrder(signature), identity.publicKey)).toBe(false);
  });

  it('is made once, readable by its owner only, and read again', () => {
    const path = join(folder, 'deep', 'identity');
    const first = Identity.loadOrCreate(path);
    expect(Identity.loadOrCreate(path).publicKey).toEqual(first.publicKey);
    expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  it('is that of whoever made it first, when others make it at once', () => {
    const path = join(folder, 'identity');
    const first = new Identity();
    fault.beforeMaking = () => writeFileSync(path, first.seed.toString('hex'));
    try {
      expect(Identity.loadOrCreate(path).publicKey).toEqual(first.publicKey);
    } finally {
      fault.beforeMaking = () => undefined;
    }
    expect(Identity.loadOrCreate(path).publicKey).toEqual(first.publicKey);
    expect(readdirSync(folder)).toEqual(['identity']);
  });

  it('names the file when it is damaged', () => {
    const path = join(folder, 'identity');
    writeFileSync(path, 'abc');
    expect(() => Identity.loadOrCreate(path)).toThrow(expect.objectContaining({ code: 'EXOPOOL_CORRUPT' }));
  });

  it('refuses a seed of another length', () => {
    expect(() => new Identity(Buffer.alloc(31))).toThrow(
      expect.objectContaining({ code: 'EXOPOOL_INVALID' }),
    );
  });
});

/** `signature` with the order of the group added to its scalar S, which RFC 8032 (5.1.7) forbids. */
function plusOrder(signature: Buffer): Buffer {
  const order = 2n ** 252n + 27742317777372353535851937790883648493n;
  const scalar = BigInt(`0x${Buffer.from(signature.subarray(32)).reverse().toString('hex')}`) + order;
  const bytes = Buffer.from(scalar.toString(16).padStart(64, '0'), 'hex').reverse();
  return Buffer.concat([signature.subarray(0, 32), bytes]);
}
