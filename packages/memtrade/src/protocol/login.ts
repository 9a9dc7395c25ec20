/** The login: a client proves that it owns its Ed25519 key by signing this message. Broker and client both build it. */

/** Keeps a signature made to log in from being valid for anything else. */
const loginContext = Buffer.from('exopool-login-v1');

/** The bytes that a client signs to log in: a fixed context, then the broker's nonce. */
export function loginMessage(nonce: Buffer): Buffer {
  return Buffer.concat([loginContext, nonce]);
}
