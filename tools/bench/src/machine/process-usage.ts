/** Resources that this process has used so far, with all of its threads. */
import { readFileSync } from 'node:fs';

export interface Usage {
  readonly cpuSeconds: number;
  /** Bytes read from the device, also by faults in mapped files and by io_uring. */
  readonly readBytes: number;
}

export function usage(): Usage {
  const { user, system } = process.cpuUsage();
  const text = readFileSync('/proc/self/io', 'utf8');
  return {
    cpuSeconds: (user + system) / 1e6,
    readBytes: Number(/^read_bytes: (\d+)$/m.exec(text)?.[1] ?? 0),
  };
}
