/** A slab server in a process of its own, as a producer has one; it ends with its channel. */
import { SlabServer } from '@exopool/native/internal';

export interface SlabServerArgument {
  /** Hexadecimal, as Buffers do not go through JSON. */
  readonly seed: string;
  readonly brokerKey: string;
  readonly slabBytes: number;
  readonly slabs: number;
}

export interface SlabServerAnswer {
  readonly port: number;
  readonly cpuSeconds: number;
}

const { seed, brokerKey, slabBytes, slabs } = JSON.parse(process.argv[2] ?? '{}') as SlabServerArgument;
const server = SlabServer.start({
  host: '127.0.0.1',
  port: 0,
  seed: Buffer.from(seed, 'hex'),
  brokerKey: Buffer.from(brokerKey, 'hex'),
  slabBytes,
  capacitySlabs: slabs,
});
process.once('disconnect', () => process.exit(0));
process.on('message', () => {
  // Of the whole process, though only the server's thread has something to do.
  const { user, system } = process.cpuUsage();
  const result: SlabServerAnswer = { port: server.port, cpuSeconds: (user + system) / 1e6 };
  process.send?.({ result });
});
