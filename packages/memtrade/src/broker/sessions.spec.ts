import { expect, it } from 'vitest';
import { Identity } from '@exopool/shared';
import { nonceLifeMs, sessionLifeMs } from '../protocol/limits.js';
import { loginMessage } from '../protocol/login.js';
import { Sessions } from './sessions.js';

const alice = new Identity();
const mallory = new Identity();
const denied = expect.objectContaining({ code: 'EXOPOOL_DENIED' }) as unknown;

function withClock(): { sessions: Sessions; clock: { nowMs: number } } {
  // Above zero: the cache takes an age that starts at zero for none.
  const clock = { nowMs: 1_000_000 };
  return { clock, sessions: new Sessions({ now: () => clock.nowMs }) };
}

it('gives a token for a signed nonce, once', () => {
  const { sessions } = withClock();
  const nonce = sessions.challenge(alice.publicKey);
  const signature = alice.sign(loginMessage(nonce));
  const token = sessions.login(alice.publicKey, nonce, signature);
  expect(token).toMatch(/^[0-9a-f]{64}$/);
  expect(sessions.publicKeyOf(token)).toBe(alice.publicKey.toString('hex'));
  expect(() => sessions.login(alice.publicKey, nonce, signature)).toThrow(denied);
});

it('refuses forged, foreign and old logins', () => {
  const { sessions, clock } = withClock();
  const forged = sessions.challenge(alice.publicKey);
  expect(() => sessions.login(alice.publicKey, forged, mallory.sign(loginMessage(forged)))).toThrow(
    /signature does not match/,
  );
  expect(() => sessions.login(alice.publicKey, forged, alice.sign(loginMessage(forged)))).toThrow(/used/);

  const foreign = sessions.challenge(alice.publicKey);
  expect(() => sessions.login(mallory.publicKey, foreign, mallory.sign(loginMessage(foreign)))).toThrow(
    /unknown/,
  );

  const bare = sessions.challenge(alice.publicKey);
  expect(() => sessions.login(alice.publicKey, bare, alice.sign(bare))).toThrow(/signature does not match/);

  const old = sessions.challenge(alice.publicKey);
  clock.nowMs += nonceLifeMs + 1;
  expect(() => sessions.login(alice.publicKey, old, alice.sign(loginMessage(old)))).toThrow(/expired/);
});

it('forgets a token that is not used for long', () => {
  const { sessions, clock } = withClock();
  const nonce = sessions.challenge(alice.publicKey);
  const token = sessions.login(alice.publicKey, nonce, alice.sign(loginMessage(nonce)));
  clock.nowMs += sessionLifeMs - 1;
  expect(sessions.publicKeyOf(token)).toBeDefined();
  clock.nowMs += sessionLifeMs + 1;
  expect(sessions.publicKeyOf(token)).toBeUndefined();
});
