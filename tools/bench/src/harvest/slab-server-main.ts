/** The process of a slab server. It ends with its channel. */
import { SlabServer } from '@exopool/native/internal';

export interface SlabServerArgument {
  /** Hexadecimal, since JSON cannot carry Buffers. */
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
  // CPU time of the whole process, in which only the server's thread works.
  const { user, system } = process.cpuUsage();
  const result: SlabServerAnswer = { port: server.port, cpuSeconds: (user + system) / 1e6 };
  process.send?.({ result });
});
