/**
 * Downloads packages of other Debian releases without changing the machine's own sources.
 *
 * apt gets its own lists, sources and state, in a folder of the cache. It checks signatures as usual. The mirror is the
 * one of the machine's apt.
 *
 *   machine's apt  --indextargets-->  mirror  -->  sources.list (bookworm, security, backports, trixie, sid)
 *                                                   --update-->  indexes  --search, show-->  stanzas  --download-->  .deb
 */
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { ExopoolError } from '@exopool/shared';
import { parseControl, type Stanza } from './control-file.js';
import type { KernelPackage } from './kernel-choice.js';
import { runProgram } from './run-program.js';

/** A new kernel appears a few times a week. */
const indexAgeMaxMs = 24 * 3600 * 1000;
const keyring = '/usr/share/keyrings/debian-archive-keyring.gpg';
const suites = ['bookworm', 'bookworm-backports', 'trixie', 'sid'];
const securitySuites = ['bookworm-security', 'trixie-security'];
const defaultMirrors: Mirrors = {
  main: 'http://deb.debian.org/debian/',
  security: 'http://deb.debian.org/debian-security/',
};

export interface Mirrors {
  readonly main: string;
  readonly security: string;
}

/** The first mirror of each kind among lines of `URI LABEL`, or Debian's own if the machine has none. */
export function mirrorsOf(targets: string): Mirrors {
  const lines = targets.split('\n').map((line) => line.split(' '));
  const uri = (label: string): string | undefined => lines.find(([, found]) => found === label)?.[0];
  return {
    main: uri('Debian') ?? defaultMirrors.main,
    security: uri('Debian-Security') ?? defaultMirrors.security,
  };
}

export function sourcesList(mirrors: Mirrors): string {
  const line = (uri: string, suite: string): string => `deb [signed-by=${keyring}] ${uri} ${suite} main\n`;
  return [
    ...suites.map((suite) => line(mirrors.main, suite)),
    ...securitySuites.map((suite) => line(mirrors.security, suite)),
  ].join('');
}

export class DebianArchive {
  readonly #folder: string;
  readonly #signal: AbortSignal | undefined;

  /** @param folder for lists and state; created if it is missing. */
  constructor(folder: string, signal?: AbortSignal) {
    this.#folder = folder;
    this.#signal = signal;
  }

  /** Fetches the indexes unless they are from today. @throws the errors of {@link runProgram} */
  async update(): Promise<void> {
    const stamp = join(this.#folder, 'updated');
    const age = await stat(stamp).then(
      ({ mtimeMs }) => Date.now() - mtimeMs,
      () => Infinity,
    );
    if (age < indexAgeMaxMs) return;
    const format = '$(REPO_URI) $(LABEL)';
    const targets = await runProgram(
      'apt-get',
      ['indextargets', '--format', format, 'Created-By: Packages'],
      {
        signal: this.#signal,
        debianPackage: 'apt (this needs Debian)',
      },
    );
    for (const folder of ['state/lists/partial', 'cache/archives/partial', 'parts'])
      await mkdir(join(this.#folder, folder), { recursive: true });
    await writeFile(join(this.#folder, 'sources.list'), sourcesList(mirrorsOf(targets)));
    await writeFile(join(this.#folder, 'apt.conf'), this.#configuration());
    await this.#apt('apt-get', ['update', '--error-on=any']);
    await writeFile(stamp, '');
  }

  /** The stanzas of all packages whose names match. */
  async show(prefix: string, wanted: (name: string) => boolean): Promise<Stanza[]> {
    const names = (await this.#apt('apt-cache', ['pkgnames', prefix])).split('\n').filter(wanted);
    return names.length === 0 ? [] : this.showAll(names);
  }

  /** The stanzas of all versions of these packages. Packages that the archive lacks are left out. */
  async showAll(names: readonly string[]): Promise<Stanza[]> {
    // apt-cache fails if it knows none of them.
    const known = new Set((await this.#apt('apt-cache', ['pkgnames'])).split('\n'));
    const real = names.filter((name) => known.has(name));
    return real.length === 0 ? [] : parseControl(await this.#apt('apt-cache', ['show', ...real]));
  }

  /** Downloads packages and unpacks all of them into `target`, without installing them. */
  async unpack(packages: readonly KernelPackage[], target: string): Promise<void> {
    const folder = await mkdtemp(join(this.#folder, 'download-'));
    try {
      await this.download(packages, folder);
      for (const file of await readdir(folder))
        await runProgram('dpkg-deb', ['--extract', join(folder, file), target], { signal: this.#signal });
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  }

  /** Downloads packages into `folder`, without unpacking them. */
  async download(packages: readonly KernelPackage[], folder: string): Promise<void> {
    const names = packages.map(({ name, version }) => `${name}=${version}`);
    await this.#apt('apt-get', ['download', ...names], folder);
  }

  #configuration(): string {
    if (this.#folder.includes('"'))
      throw new ExopoolError(
        'EXOPOOL_UNSUPPORTED',
        `apt cannot use a folder with a quote in it: ${this.#folder}`,
      );
    const settings = {
      'Dir::Etc::sourcelist': join(this.#folder, 'sources.list'),
      'Dir::Etc::sourceparts': join(this.#folder, 'parts'),
      // An outdated mirror is fine for tests. apt still checks signatures.
      'Acquire::Check-Valid-Until': 'false',
      'Dir::State': join(this.#folder, 'state'),
      'Dir::Cache': join(this.#folder, 'cache'),
      'Dir::State::status': '/dev/null',
      'Acquire::Languages': 'none',
      // Downloads go to a folder of this user. apt's own user cannot enter it.
      'APT::Sandbox::User': '',
    };
    return Object.entries(settings)
      .map(([name, value]) => `${name} "${value}";\n`)
      .join('');
  }

  #apt(program: string, words: readonly string[], cwd = this.#folder): Promise<string> {
    const environment = { APT_CONFIG: join(this.#folder, 'apt.conf') };
    return runProgram(program, ['-q', ...words], { signal: this.#signal, cwd, environment });
  }
}
