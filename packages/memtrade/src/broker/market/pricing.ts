/**
 * Pricing: the price of a GiB for an hour.
 *
 * The price is a constant share of the spot price. It is below the spot price, because leased memory can be lost at any
 * time, and above zero, to discourage hoarding. Prices are integers, billionths of a US dollar ({@link NanoDollars}).
 */
import type { NanoDollars } from './billing.js';

export interface PricingSettings {
  /** US dollars per GiB and hour. */
  readonly spotPrice: NanoDollars;
  /** 0..1. */
  readonly priceShare: number;
}

/** Shares are applied in millionths, to stay in integers. */
const shareScale = 1_000_000;

/** The price of a GiB for an hour; never above the spot price. */
export function priceNow(settings: PricingSettings): NanoDollars {
  return (settings.spotPrice * BigInt(Math.round(settings.priceShare * shareScale))) / BigInt(shareScale);
}
