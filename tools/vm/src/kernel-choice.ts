/**
 * Chooses the packages that make up a requested kernel.
 *
 * Names contain the version and change from week to week (`linux-image-6.1.0-56-amd64`,
 * `linux-image-6.12.117+deb13-amd64`), so they are looked up: `6.12` means the newest 6.12 in the archive. From 7.x on,
 * an image package is empty and depends on the packages that contain its files.
 */
import { ExopoolError } from '@exopool/shared';
import type { Stanza } from './control-file.js';
import { compareDebianVersions } from './debian-version.js';

export interface KernelPackage {
  readonly name: string;
  readonly version: string;
}

export interface KernelChoice {
  /** The output of `uname -r` in the guest. */
  readonly release: string;
  readonly packages: readonly KernelPackage[];
}

/** Name of an image package of the plain flavour: neither cloud nor real-time nor unsigned. */
const imageName = /^linux-image-(\d+\.\d+[^-]*(?:-\d+)?)-(amd64)$/;

/** The release of an image package; undefined for other packages and for metapackages. */
export function releaseOf(packageName: string): string | undefined {
  const match = imageName.exec(packageName);
  // "linux-image-6.12-amd64" is a metapackage for the newest release.
  return match === null || /^\d+\.\d+$/.test(match[1]!) ? undefined : `${match[1]!}-${match[2]!}`;
}

/** Whether a package's version belongs to a series: 6.1.176-1 belongs to 6.1, and not to 6.12. */
export function isOfSeries(version: string, wanted: string): boolean {
  return version === wanted || (version.startsWith(wanted) && /^[.\-+~]/.test(version.slice(wanted.length)));
}

/**
 * The newest kernel of a series such as `6.12`, or the kernel of a release such as `6.12.117+deb13-amd64`.
 * @throws `EXOPOOL_NOT_FOUND`; the message has the available series
 */
export function chooseKernel(stanzas: readonly Stanza[], wanted: string): KernelChoice {
  const images = stanzas.filter((stanza) => releaseOf(field(stanza, 'Package')) !== undefined);
  const fitting = images.filter(
    (stanza) =>
      releaseOf(field(stanza, 'Package')) === wanted || isOfSeries(field(stanza, 'Version'), wanted),
  );
  const image = fitting
    .sort((a, b) => compareDebianVersions(field(a, 'Version'), field(b, 'Version')))
    .at(-1);
  if (image === undefined) {
    const series = [...new Set(images.map((stanza) => seriesOf(field(stanza, 'Version'))))];
    const known = series.sort(compareDebianVersions).join(', ');
    throw new ExopoolError(
      'EXOPOOL_NOT_FOUND',
      `there is no kernel "${wanted}"; the archive has ${known || 'none'}`,
    );
  }
  return { release: releaseOf(field(image, 'Package'))!, packages: [asPackage(image), ...parts(image)] };
}

/** The packages of the same kernel on which an image depends. */
function parts(image: Stanza): KernelPackage[] {
  const release = releaseOf(field(image, 'Package'))!;
  return field(image, 'Depends')
    .split(',')
    .flatMap((dependency) => {
      const name = dependency.trim().split(/[ (|]/)[0]!;
      const isPart = /^linux-[a-z]+-/.test(name) && name.endsWith(`-${release}`);
      return isPart ? [{ name, version: field(image, 'Version') }] : [];
    });
}

function asPackage(stanza: Stanza): KernelPackage {
  return { name: field(stanza, 'Package'), version: field(stanza, 'Version') };
}

function seriesOf(version: string): string {
  return /^\d+\.\d+/.exec(version)?.[0] ?? version;
}

function field(stanza: Stanza, name: string): string {
  return stanza.get(name) ?? '';
}
