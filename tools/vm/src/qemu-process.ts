/**
 * A running QEMU and the sockets of its guest's ports. It ends with this process, however that ends. A kill is clean,
 * since a guest has no state to save.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { socketFile } from './qemu-arguments.js';

const program = 'qemu-system-x86_64';
/** Bytes of QEMU's own error output that are kept. */
const complaintBytesMax = 2000;

export interface PortReaders {
  readonly out?: (bytes: Buffer) => void;
  readonly err?: (bytes: Buffer) => void;
}

export class QemuProcess {
  /** Resolves once the process and the streams of its ports have ended. */
  readonly ended: Promise<void>;
  readonly #child: ChildProcess;
  #complaint = '';

  private constructor(child: ChildProcess, servers: readonly Server[]) {
    this.#child = child;
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#complaint = (this.#complaint + chunk.toString()).slice(-complaintBytesMax);
    });
    this.ended = once(child, 'close').then(async () => {
      // A server closes after its connections, so after the last bytes from QEMU.
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    });
  }

  /** The end of QEMU's error output. */
  get complaint(): string {
    return this.#complaint.trim();
  }

  /** @throws `EXOPOOL_UNSUPPORTED` if QEMU is not installed */
  static async start(words: readonly string[], folder: string, readers: PortReaders): Promise<QemuProcess> {
    const servers = [
      await listen(join(folder, socketFile.out), readers.out),
      await listen(join(folder, socketFile.err), readers.err),
    ];
    // If this process is killed, it cannot end its guest. The kernel does it instead.
    const child = spawn('setpriv', ['--pdeathsig', 'KILL', '--', program, ...words], {
      stdio: ['ignore', 'ignore', 'pipe'],
      // Ctrl-C in a terminal goes to this process, which ends the guest.
      detached: true,
    });
    const qemu = new QemuProcess(child, servers);
    await once(child, 'spawn').catch((error: unknown) => {
      for (const server of servers) server.close();
      throw notInstalled('setpriv', 'util-linux', error);
    });
    return qemu;
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** The error if this machine is the reason why QEMU ended before the guest's first output. */
  get refusal(): ExopoolError | undefined {
    // setpriv exits with 127 if it does not find the program.
    if (this.#child.exitCode === 127) return notInstalled(program, 'qemu-system-x86', undefined);
    if (this.#child.exitCode === 1 && this.complaint !== '')
      return new ExopoolError('EXOPOOL_UNSUPPORTED', `QEMU refuses: ${this.complaint}`);
    return undefined;
  }
}

async function listen(path: string, read: ((bytes: Buffer) => void) | undefined): Promise<Server> {
  const server = createServer((socket: Socket) => {
    socket.on('data', read ?? (() => undefined));
    socket.on('error', () => socket.destroy());
  });
  server.listen(path);
  await once(server, 'listening');
  return server;
}

function notInstalled(name: string, debianPackage: string, cause: unknown): ExopoolError {
  const message = `${name} is not installed; to install it: apt-get install ${debianPackage}`;
  return new ExopoolError('EXOPOOL_UNSUPPORTED', message, { cause });
}
