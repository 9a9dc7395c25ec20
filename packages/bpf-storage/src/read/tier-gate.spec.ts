import { afterEach, describe, expect, it, vi } from 'vitest';
import { toRowKey } from '../format/row-key.js';
import { MapTier } from '../testing/map-tier.js';
import { callMsMax, TierGate } from './tier-gate.js';

const a = toRowKey('a');
const b = toRowKey('b');
const one = Buffer.from('1');

class FailingTier extends MapTier {
  constructor(private readonly failing: 'getMany' | 'putMany' | 'deleteMany') {
    super();
  }

  #failIf(call: string): Promise<void> {
    return call === this.failing ? Promise.reject(new Error('gone')) : Promise.resolve();
  }

  override async getMany(keys: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    await this.#failIf('getMany');
    return super.getMany(keys);
  }

  override async putMany(entries: readonly (readonly [Buffer, Buffer])[]): Promise<void> {
    await this.#failIf('putMany');
    await super.putMany(entries);
  }

  override async deleteMany(keys: readonly Buffer[]): Promise<void> {
    await this.#failIf('deleteMany');
    await super.deleteMany(keys);
  }
}

describe('TierGate', () => {
  it('is empty without a tier', async () => {
    const gate = new TierGate(undefined);
    gate.admit([[a, one]]);
    await gate.invalidate([a]);
    expect(await gate.getMany([a, b])).toEqual([undefined, undefined]);
    expect(gate.stats()).toBeUndefined();
  });

  it('makes misses of what the tier rejects, and counts them', async () => {
    const gate = new TierGate(new FailingTier('getMany'));
    expect(await gate.getMany([a])).toEqual([undefined]);
    const putting = new TierGate(new FailingTier('putMany'));
    putting.admit([[a, one]]);
    await putting.settled();
    expect([gate.counters.failures, putting.counters.failures]).toEqual([1, 1]);
    expect([gate.isAttached, putting.isAttached]).toEqual([true, true]);
  });

  it('makes a miss of a tier that throws when it is asked what it may hold, and still deletes there', () => {
    class ThrowingTier extends MapTier {
      mayHold(): boolean {
        throw new Error('gone');
      }
    }
    const gate = new TierGate(new ThrowingTier());
    expect([gate.mayHold(a), gate.mayNeedDeletion(a.bytes)]).toEqual([false, true]);
    expect(gate.counters.failures).toBe(2);
  });

  it('detaches a tier that rejects a deletion: nobody knows what it still holds', async () => {
    const tier = new FailingTier('deleteMany');
    const gate = new TierGate(tier);
    gate.admit([[a, one]]);
    await gate.invalidate([a]);
    expect(gate.counters).toMatchObject({ failures: 1, detached: 1 });
    expect(await gate.getMany([a])).toEqual([undefined]);
    expect(tier.calls.getMany).toBe(0);
  });

  it('passes keys by while they are being deleted', async () => {
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const tier = new MapTier();
    const gate = new TierGate(tier);
    gate.admit([
      [a, one],
      [b, one],
    ]);
    await gate.settled();
    const slow = new MapTier(() => held);
    slow.map.set('a', one);
    gate.attach(slow);
    const deletion = gate.invalidate([a]);
    expect(await gate.getMany([a])).toEqual([undefined]);
    gate.admit([[a, Buffer.from('old')]]);
    goOn();
    await deletion;
    expect(slow.calls).toEqual({ getMany: 0, putMany: 0, deleteMany: 1 });
    expect(slow.map.size).toBe(0);
  });

  it('drops admissions when too many are under way', async () => {
    let goOn: () => void = () => undefined;
    const held = new Promise<void>((resolve) => (goOn = resolve));
    const gate = new TierGate(new MapTier(() => held));
    for (let index = 0; index < 70; index += 1) gate.admit([[toRowKey(`key ${index}`), one]]);
    expect(gate.counters.dropped).toBe(6);
    goOn();
    await gate.settled();
    gate.admit([[a, one]]);
    expect(gate.counters.dropped).toBe(6);
  });

  it('admits nothing and reads nothing while paused', async () => {
    const tier = new MapTier();
    const gate = new TierGate(tier);
    await gate.pause();
    gate.admit([[a, one]]);
    expect(await gate.getMany([a])).toEqual([undefined]);
    gate.resume();
    gate.admit([[a, one]]);
    await gate.settled();
    expect(await gate.getMany([a])).toEqual([one]);
    expect(tier.calls).toEqual({ getMany: 1, putMany: 1, deleteMany: 0 });
  });
});

describe('a tier whose calls never end', () => {
  afterEach(() => vi.useRealTimers());

  const never = (): Promise<void> => new Promise(() => undefined);

  it.each([
    ['a read', (gate: TierGate) => gate.getMany([a])],
    ['a deletion', (gate: TierGate) => gate.invalidate([a])],
    ['an admission', (gate: TierGate) => (gate.admit([[a, one]]), gate.settled())],
  ])('is detached after a while, and who waited for %s goes on', async (_what, wait) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const gate = new TierGate(new MapTier(never));
    let isDone = false;
    void wait(gate).then(() => (isDone = true));
    await vi.advanceTimersByTimeAsync(callMsMax - 1);
    expect([isDone, gate.isAttached]).toEqual([false, true]);
    await vi.advanceTimersByTimeAsync(1);
    expect([isDone, gate.isAttached]).toEqual([true, false]);
    expect(gate.counters).toMatchObject({ failures: 1, detached: 1 });
  });

  it('holds up a write no longer when both an admission of its key and the deletion hang', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const gate = new TierGate(new MapTier(never));
    gate.admit([[a, one]]);
    let isDone = false;
    void gate.invalidate([a]).then(() => (isDone = true));
    await vi.advanceTimersByTimeAsync(callMsMax);
    expect(isDone).toBe(true);
    await gate.pause();
    expect(gate.counters.detached).toBe(1);
  });

  it('leaves the next one in place, and leaves no timer behind a call that ended', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const gate = new TierGate(new MapTier(never));
    gate.admit([[a, one]]);
    gate.attach(new MapTier());
    gate.admit([[b, one]]);
    await vi.advanceTimersByTimeAsync(callMsMax);
    expect(await gate.getMany([b])).toEqual([one]);
    expect(gate.counters).toMatchObject({ failures: 1, detached: 0 });
    expect(vi.getTimerCount()).toBe(0);
  });
});
