/** What a signature costs: why identities sign logins and tickets, and never data. */
import { bench, describe } from 'vitest';
import { Identity, verifySignature } from './identity.js';

const identity = new Identity(Buffer.alloc(32, 1));
const message = Buffer.alloc(128, 2);
const signature = identity.sign(message);

describe('an Ed25519 signature of 128 bytes', () => {
  bench('sign', () => {
    identity.sign(message);
  });
  bench('verify', () => {
    verifySignature(message, signature, identity.publicKey);
  });
});
