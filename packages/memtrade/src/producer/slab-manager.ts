/**
 * Keeps the leased slabs within the memory that the machine can spare.
 *
 *   memory, harvest ─▶ offer policy ─▶ admit so many slabs ─▶ reclaim policy ─▶ ask, take ─▶ slab server
 *
 * A reclaim begins with the sample that found too many slabs leased, and ends when they fit again.
 */
import { readMemoryInfo, readMemoryPressure } from '@exopool/native';
import { type SlabServer, type SlabServerStats } from '@exopool/native/internal';
import { nextOffer, type OfferSettings, type OfferState } from './offer-policy.js';
import { heldSlabs, nextReclaim, type ReclaimState } from './reclaim-policy.js';

export interface SlabManagerSettings extends OfferSettings {
  /** Time that consumers have to move values out of slabs that they must give back. */
  readonly graceMs: number;
  /** Less available memory than this is an emergency. */
  readonly emergencyBytes: number;
  /** More pressure than this is an emergency; per cent of the time in which all tasks wait for memory. */
  readonly emergencyPressure: number;
}

/** The machine's memory at one moment. */
export interface MachineMemory {
  readonly availableBytes: number;
  /** Resident memory of this process. Its growth since the start is the memory in slabs. */
  readonly processBytes: number;
  /** Per cent of the time in which all tasks waited for memory. */
  readonly fullPressure: number;
}

export interface ReclaimStats {
  /** Reclaims that asked consumers for slabs. */
  readonly asked: number;
  /** Reclaims that took slabs without asking. */
  readonly emergencies: number;
  /** Duration of the last reclaim. */
  readonly lastMs: number;
  readonly longestMs: number;
}

export interface SlabManagerStats {
  readonly offeredSlabs: number;
  readonly slabBytes: number;
  readonly availableBytes: number;
  readonly server: SlabServerStats;
  readonly reclaims: ReclaimStats;
}

const unlentIntervalMs = 1000;

/**
 * Adjusts what a slab server admits to the machine's memory, and takes slabs back when they are too many.
 *
 * @example
 * const manager = new SlabManager(server, settings, () => 0);
 * const timer = setInterval(() => manager.turn(), 50);
 */
export class SlabManager {
  readonly #server: SlabServer;
  readonly #settings: SlabManagerSettings;
  readonly #harvestedBytes: () => number;
  readonly #look: () => MachineMemory;
  readonly #onReclaimed: (ms: number) => void;
  readonly #processBytesAtStart: number;
  #machine: MachineMemory;
  #offer: OfferState | undefined;
  #reclaim: ReclaimState | undefined;
  #overSinceMs: number | undefined;
  #adjustedMs = -Infinity;
  #reclaims = { asked: 0, emergencies: 0, lastMs: 0, longestMs: 0 };

  /**
   * @param onReclaimed called with the duration of each reclaim, in ms.
   * @param look samples the machine; tests replace it.
   */
  constructor(
    server: SlabServer,
    settings: SlabManagerSettings,
    harvestedBytes: () => number,
    onReclaimed: (ms: number) => void = () => undefined,
    look: () => MachineMemory = lookAtMachine,
  ) {
    this.#server = server;
    this.#settings = settings;
    this.#harvestedBytes = harvestedBytes;
    this.#onReclaimed = onReclaimed;
    this.#look = look;
    this.#machine = look();
    this.#processBytesAtStart = this.#machine.processBytes;
  }

  get offeredSlabs(): number {
    return this.#offer?.slabs ?? 0;
  }

  /**
   * Adjusts, but only once a second while no slab is leased. Call it often; a sample takes 0.4 ms.
   */
  turn(): void {
    const isLent = this.#server.leasedSlabs > 0 || this.#overSinceMs !== undefined;
    if (isLent || performance.now() - this.#adjustedMs >= unlentIntervalMs) this.adjust();
  }

  /** Samples the machine and acts. When it cannot be sampled (no free file descriptor), the last sample counts. */
  adjust(): void {
    const nowMs = performance.now();
    this.#adjustedMs = nowMs;
    const before = this.#offer?.slabs;
    try {
      this.#machine = this.#look();
    } catch {
      // The next sample is soon.
    }
    const { availableBytes, processBytes, fullPressure } = this.#machine;
    // Slabs are mapped lazily: only pages that were written take memory.
    const grownBytes = Math.max(0, processBytes - this.#processBytesAtStart);
    const { leasedSlabs } = this.#server;
    const ownBytes = Math.min(grownBytes, leasedSlabs * this.#settings.slabBytes);
    const harvestedBytes = this.#harvestedBytes();
    this.#offer = nextOffer(this.#offer, { nowMs, availableBytes, ownBytes, harvestedBytes }, this.#settings);
    if (this.#offer.slabs !== before) this.#server.admit(this.#offer.slabs);
    const { emergencyBytes, emergencyPressure } = this.#settings;
    const isEmergency = availableBytes < emergencyBytes || fullPressure > emergencyPressure;
    if (leasedSlabs > this.#offer.slabs || this.#overSinceMs !== undefined) this.#getBack(nowMs, isEmergency);
  }

  stats(): SlabManagerStats {
    return {
      offeredSlabs: this.offeredSlabs,
      slabBytes: this.#settings.slabBytes,
      availableBytes: this.#machine.availableBytes,
      server: this.#server.stats(),
      reclaims: this.#reclaims,
    };
  }

  #getBack(nowMs: number, isEmergency: boolean): void {
    this.#overSinceMs ??= nowMs;
    const snapshot = { nowMs, leases: this.#server.leases(), allowedSlabs: this.offeredSlabs, isEmergency };
    const { state, orders } = nextReclaim(this.#reclaim, snapshot, this.#settings.graceMs);
    this.#reclaim = state;
    for (const order of orders) {
      if (order.kind === 'ask') this.#server.ask(order.leaseId, order.slabs, Math.round(order.graceMs));
      else this.#server.take(order.leaseId, order.slabs);
    }
    const isAsking = orders.some(({ kind }) => kind === 'ask');
    const { asked, emergencies } = this.#reclaims;
    if (isAsking) this.#reclaims = { ...this.#reclaims, asked: asked + 1 };
    if (orders.length > 0 && isEmergency)
      this.#reclaims = { ...this.#reclaims, emergencies: emergencies + 1 };
    if (heldSlabs(this.#server.leases()) <= this.offeredSlabs) this.#fits();
  }

  #fits(): void {
    const lastMs = performance.now() - this.#overSinceMs!;
    this.#overSinceMs = undefined;
    this.#reclaims = { ...this.#reclaims, lastMs, longestMs: Math.max(this.#reclaims.longestMs, lastMs) };
    this.#onReclaimed(lastMs);
  }
}

function lookAtMachine(): MachineMemory {
  return {
    availableBytes: readMemoryInfo().availableBytes,
    processBytes: process.memoryUsage.rss(),
    fullPressure: readMemoryPressure()?.fullAvg10 ?? 0,
  };
}
