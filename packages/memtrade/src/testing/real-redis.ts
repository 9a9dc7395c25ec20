/** For tests: a real redis-server of its own, on a socket in a folder of its own. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { WireClient } from './resp-wire.js';

/** Why there is nothing to compare with; `undefined` when there is. The texts of errors are those of version 7.0. */
export function whyNoRedis(): string | undefined {
  const { stdout, error } = spawnSync('redis-server', ['--version'], { encoding: 'utf8' });
  if (error !== undefined) return 'redis-server is not installed';
  return / v=7\.0\./.test(stdout) ? undefined : `redis-server is not version 7.0: ${stdout.trim()}`;
}

export interface RealRedis {
  /** Of its Unix socket. */
  readonly path: string;
  close(): Promise<void>;
}

export async function startRedis(): Promise<RealRedis> {
  const folder = mkdtempSync(join(tmpdir(), 'exopool-redis-'));
  const path = join(folder, 'socket');
  const settings = ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', folder];
  const limits = ['--proto-max-bulk-len', '8mb', '--databases', '1'];
  const process = spawn('redis-server', [...settings, ...limits], { stdio: ['ignore', 'pipe', 'inherit'] });
  let log = '';
  for await (const chunk of process.stdout) {
    log += String(chunk);
    if (log.includes('ready to accept connections')) break;
  }
  const probe = await WireClient.connect({ path });
  probe.close();
  return {
    path,
    close: async () => {
      const exited = once(process, 'exit');
      process.kill('SIGTERM');
      await exited;
      rmSync(folder, { recursive: true });
    },
  };
}
