/**
 * A producer's slab server and its manager in a process of their own, with memory on loan, and the shortage in which it
 * is wanted back: announced through what the manager sees of the machine, at any moment between two of its looks.
 *
 *   shortage ──▶ the next look ──▶ decision ──▶ slabs unmapped        emergency: at once
 *                                    └── asked, grace over ──▶ unmapped      else
 */
import { SlabServer, SlabSession } from '@exopool/native/internal';
import { lookIntervalMs, SlabManager, type MachineMemory } from '@exopool/memtrade';
import { GiB, MiB } from '@exopool/shared';
import { newParties, sessionOptions, slabBytes } from './lease.js';

export interface GiveBackRequest {
  readonly bytes: number;
  readonly isEmergency: boolean;
  readonly graceMs: number;
  /** After the loan stands, the shortage begins so much later. */
  readonly delayMs: number;
}

const floorBytes = GiB;
const slabsMax = 1024;
const plenty: MachineMemory = { availableBytes: 64 * GiB, processBytes: 0, fullPressure: 0 };
const pollMs = 1;

/** @returns milliseconds from the shortage until all of it is unmapped. */
async function giveBack({ bytes, isEmergency, graceMs, delayMs }: GiveBackRequest): Promise<number> {
  const parties = newParties();
  const server = SlabServer.start({
    host: '127.0.0.1',
    port: 0,
    seed: parties.producer.seed,
    brokerKey: parties.broker.publicKey,
    slabBytes,
    capacitySlabs: 0,
  });
  let machine = plenty;
  const settings = {
    slabBytes,
    floorBytes,
    maxBytes: Infinity,
    slabsMax,
    raiseAfterMs: 0,
    graceMs,
    emergencyBytes: floorBytes / 2,
    emergencyPressure: 10,
  };
  const noHarvest = (): number => 0;
  const manager = new SlabManager(server, settings, noHarvest, undefined, () => machine);
  manager.adjust();
  const timer = setInterval(() => manager.turn(), lookIntervalMs);
  try {
    const slabs = Math.ceil(bytes / slabBytes);
    const session = await SlabSession.connect(sessionOptions(parties, server.port, slabs));
    await use(session, slabs);
    await pause(delayMs);
    // Half of an emergency's bound is one; just above it slabs are asked for.
    machine = { ...plenty, availableBytes: isEmergency ? floorBytes / 4 : (floorBytes * 3) / 4 };
    const startMs = performance.now();
    while (server.stats().mappedBytes > 0) await pause(pollMs);
    const elapsedMs = performance.now() - startMs;
    session.close();
    return elapsedMs;
  } finally {
    clearInterval(timer);
    server.close();
  }
}

/** Writes all of it: memory that is only mapped is not on loan. */
async function use(session: SlabSession, slabs: number): Promise<void> {
  const data = Buffer.alloc(MiB, 1);
  for (let slab = 0; slab < slabs; slab += 1) {
    const writes = Array.from({ length: slabBytes / MiB }, (_, at) => ({ slab, offset: at * MiB, data }));
    await session.writeMany(writes);
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

process.once('disconnect', () => process.exit(0));
process.on('message', (request: GiveBackRequest) => {
  giveBack(request).then(
    (result) => process.send?.({ result }),
    (error: unknown) => process.send?.({ error: String(error) }),
  );
});
