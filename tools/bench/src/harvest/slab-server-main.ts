/** A slab server in a process of its own, as a producer has one; it ends with its channel. */
import { SlabServer } from '@exopool/native';

export interface SlabServerArgument {
  /** Hexadecimal, as Buffers do not go through JSON. */
  readonly seed: string;
  readonly brokerKey: string;
  readonly slabBytes: number;
  readonly slabs: number;
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
process.on('message', () => process.send?.({ result: { port: server.port, pid: process.pid } }));
