/**
 * Runs a producer's slab server and its manager in a separate process, leases out memory, then causes a shortage: the
 * free memory that the manager sees drops at any moment between two of its checks.
 *
 *   shortage ──▶ next check ──▶ decision ──▶ slabs unmapped                 emergency: at once
 *                                  └── request, end of grace ──▶ unmapped   otherwise
 */
import { SlabServer, SlabSession } from '@exopool/native/internal';
import { lookIntervalMs, SlabManager, type MachineMemory } from '@exopool/memtrade';
import { GiB, MiB } from '@exopool/shared';
import { newParties, sessionOptions, slabBytes } from './lease.js';

export interface GiveBackRequest {
  readonly bytes: number;
  readonly isEmergency: boolean;
  readonly graceMs: number;
  /** Delay from the completed lease to the shortage. */
  readonly delayMs: number;
}

const floorBytes = GiB;
const slabsMax = 1024;
const plenty: MachineMemory = { availableBytes: 64 * GiB, processBytes: 0, fullPressure: 0 };
const pollMs = 1;

/** @returns milliseconds from the shortage until all leased memory is unmapped. */
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
    // Below half of the floor is an emergency. Just above it, the manager asks consumers for slabs.
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

/** Writes all leased memory, since the kernel allocates pages only when they are written. */
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
