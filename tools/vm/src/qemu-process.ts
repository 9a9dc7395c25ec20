/**
 * A running QEMU and the sockets of its guest's ports. It dies with this process, however that ends, and a kill is
 * clean: a guest has nothing that would have to be saved.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { socketFile } from './qemu-arguments.js';

const program = 'qemu-system-x86_64';
/** Of what QEMU itself complains about. */
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
      // A server closes when its connections have: after the last bytes that QEMU had sent.
      await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
    });
  }

  /** What QEMU had to say. */
  get complaint(): string {
    return this.#complaint.trim();
  }

  /** @throws `EXOPOOL_UNSUPPORTED` when QEMU is not installed */
  static async start(words: readonly string[], folder: string, readers: PortReaders): Promise<QemuProcess> {
    const servers = [
      await listen(join(folder, socketFile.out), readers.out),
      await listen(join(folder, socketFile.err), readers.err),
    ];
    // A process of ours that is killed cannot end its guest, so the kernel does.
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

  /** Why QEMU ended without a word from the guest, when it is a matter of this machine. */
  get refusal(): ExopoolError | undefined {
    // setpriv's status for a program that it does not find.
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
