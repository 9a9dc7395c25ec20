import { setImmediate as turn } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { SpinPolicy } from './spin-policy.js';

/** One call after the other, each answered in time. @returns how many of them waited on this thread. */
async function oneByOne(policy: SpinPolicy, calls: number, inTime = true): Promise<number> {
  let waited = 0;
  for (let call = 0; call < calls; call++) {
    if (policy.begin(true)) {
      waited++;
      policy.end(inTime);
    }
    await Promise.resolve();
  }
  return waited;
}

describe('waiting on the own thread', () => {
  it('begins after a few calls one after the other', async () => {
    expect(await oneByOne(new SpinPolicy(40), 4)).toBe(1);
  });

  it('never without a time for it', async () => {
    expect(await oneByOne(new SpinPolicy(0), 100)).toBe(0);
  });

  it('not while something else is under way, nor for a few calls after that', async () => {
    const policy = new SpinPolicy(40);
    await oneByOne(policy, 10);
    await turn();
    expect(policy.begin(false)).toBe(false);
    expect(policy.begin(true)).toBe(false);
    policy.delivered(2);
    expect(policy.begin(true)).toBe(false);
  });

  it('not for many calls of one turn, even when each is answered at once', async () => {
    const policy = new SpinPolicy(40);
    await oneByOne(policy, 4);
    await turn();
    expect(policy.begin(true)).toBe(true);
    policy.end(true);
    expect(policy.begin(true)).toBe(false);
  });

  it('lets the event loop have its turn', async () => {
    const policy = new SpinPolicy(40);
    await oneByOne(policy, 4);
    while (policy.begin(true)) {
      policy.end(true);
      await Promise.resolve();
    }
    await turn();
    expect(await oneByOne(policy, 8)).toBeGreaterThan(0);
  });

  it('is left out while it does not succeed, but for a try now and then', async () => {
    const policy = new SpinPolicy(40);
    let waited = 0;
    for (let round = 0; round < 100; round++) {
      waited += await oneByOne(policy, 8, false);
      await turn();
    }
    expect(waited).toBeGreaterThan(5);
    expect(waited).toBeLessThan(50);
  });
});
