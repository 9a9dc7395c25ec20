import fc from 'fast-check';
import { expect, it } from 'vitest';
import { nextOffer, type OfferSettings, type OfferState } from './offer-policy.js';

const settings: OfferSettings = {
  slabBytes: 64,
  floorBytes: 640,
  maxBytes: Infinity,
  slabsMax: 1000,
  raiseAfterMs: 100,
};
const at = (nowMs: number, availableBytes: number, more: object = {}): Parameters<typeof nextOffer>[1] => ({
  nowMs,
  availableBytes,
  ownBytes: 0,
  harvestedBytes: 0,
  ...more,
});

it('offers what is above the floor at the start', () => {
  expect(nextOffer(undefined, at(0, 640 + 64 * 3 + 63), settings).slabs).toBe(3);
  expect(nextOffer(undefined, at(0, 600), settings).slabs).toBe(0);
});

it('counts memory in its own slabs as its own', () => {
  expect(nextOffer(undefined, at(0, 640 + 64, { ownBytes: 128 }), settings).slabs).toBe(3);
});

it('caps free memory, not what was harvested', () => {
  const capped = { ...settings, maxBytes: 128 };
  expect(nextOffer(undefined, at(0, 10_000), capped).slabs).toBe(2);
  expect(nextOffer(undefined, at(0, 10_000, { harvestedBytes: 256 }), capped).slabs).toBe(6);
  // Harvested memory is available memory: without it there is nothing to offer.
  expect(nextOffer(undefined, at(0, 640 + 64, { harvestedBytes: 256 }), capped).slabs).toBe(1);
});

it('lowers at once, and raises what stays', () => {
  let state: OfferState = nextOffer(undefined, at(0, 640 + 640), settings);
  state = nextOffer(state, at(1, 640 + 320), settings);
  expect(state.slabs).toBe(5);
  state = nextOffer(state, at(2, 640 + 640), settings);
  expect(state.slabs).toBe(5);
  state = nextOffer(state, at(50, 640 + 320), settings);
  state = nextOffer(state, at(60, 640 + 640), settings);
  state = nextOffer(state, at(159, 640 + 640), settings);
  expect(state.slabs).toBe(5);
  state = nextOffer(state, at(160, 640 + 640), settings);
  expect(state.slabs).toBe(9);
});

it('does not flap around a boundary', () => {
  let state = nextOffer(undefined, at(0, 640 + 64 * 4 + 10), settings);
  state = nextOffer(state, at(1, 640 + 64 * 4 - 10), settings);
  for (let nowMs = 2; nowMs < 2000; nowMs += 1) {
    state = nextOffer(state, at(nowMs, 640 + 64 * 4 + (nowMs % 2 === 0 ? 10 : -10)), settings);
    expect(state.slabs).toBe(3);
  }
});

it('never offers what would leave less than the floor', () => {
  const anySnapshot = fc.record({
    availableBytes: fc.nat(100_000),
    ownBytes: fc.nat(10_000),
    harvestedBytes: fc.nat(10_000),
  });
  fc.assert(
    fc.property(fc.array(anySnapshot, { minLength: 1 }), (snapshots) => {
      let state: OfferState | undefined;
      snapshots.forEach((snapshot, index) => {
        state = nextOffer(state, { nowMs: index * 60, ...snapshot }, settings);
        const spare = snapshot.availableBytes + snapshot.ownBytes - settings.floorBytes;
        expect(state.slabs * settings.slabBytes).toBeLessThanOrEqual(Math.max(0, spare));
        expect(state.slabs).toBeLessThanOrEqual(settings.slabsMax);
      });
    }),
  );
});
