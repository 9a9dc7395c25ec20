import { describe, expect, it } from 'vitest';
import { parseControl } from './control-file.js';
import { chooseKernel, isOfSeries, releaseOf } from './kernel-choice.js';

const index = parseControl(`Package: linux-image-6.1.0-9-amd64
Version: 6.1.27-1
Depends: kmod, initramfs-tools (>= 0.120+deb8u2) | linux-initramfs-tool

Package: linux-image-6.1.0-56-amd64
Version: 6.1.176-1
Description: Linux 6.1 for 64-bit PCs (signed)
 The Linux kernel
 .
 of its time.

Package: linux-image-6.12.94+deb12-amd64
Version: 6.12.94-1~bpo12+1
Depends: kmod

Package: linux-image-6.12.117+deb13-amd64
Version: 6.12.117-1
Depends: kmod, linux-base (>= 4.3)

Package: linux-image-6.12-amd64
Version: 6.12.200-1

Package: linux-image-6.12.300+deb13-cloud-amd64
Version: 6.12.300-1

Package: linux-image-7.2.13+deb14-amd64
Version: 7.2.13-1
Depends: dracut | initramfs-tools, linux-base-7.2.13+deb14-amd64 (= 7.2.13-1), linux-binary-7.2.13+deb14-amd64 (= 7.2.13-1)
`);

describe('the kernel asked for', () => {
  it('is the newest of its series', () => {
    expect(chooseKernel(index, '6.1')).toEqual({
      release: '6.1.0-56-amd64',
      packages: [{ name: 'linux-image-6.1.0-56-amd64', version: '6.1.176-1' }],
    });
    expect(chooseKernel(index, '6.12').release).toBe('6.12.117+deb13-amd64');
  });

  it('comes with the packages that hold its files', () => {
    expect(chooseKernel(index, '7.2').packages.map(({ name }) => name)).toEqual([
      'linux-image-7.2.13+deb14-amd64',
      'linux-base-7.2.13+deb14-amd64',
      'linux-binary-7.2.13+deb14-amd64',
    ]);
  });

  it('may be named by its release or its exact version', () => {
    expect(chooseKernel(index, '6.12.94+deb12-amd64').release).toBe('6.12.94+deb12-amd64');
    expect(chooseKernel(index, '6.1.27').release).toBe('6.1.0-9-amd64');
  });

  it('is refused when there is none, naming those there are', () => {
    expect(() => chooseKernel(index, '5.10')).toThrow(
      expect.objectContaining({
        code: 'EXOPOOL_NOT_FOUND',
        message: 'there is no kernel "5.10"; the archive has 6.1, 6.12, 7.2',
      }) as Error,
    );
    expect(() => chooseKernel([], '6.1')).toThrow(/has none/);
  });

  it('is no other flavour and no other series', () => {
    expect(releaseOf('linux-image-6.12.117+deb13-rt-amd64')).toBeUndefined();
    expect(releaseOf('linux-image-amd64')).toBeUndefined();
    expect(isOfSeries('6.12.1-1', '6.1')).toBe(false);
    expect(isOfSeries('6.1.1-1', '6.1')).toBe(true);
  });
});

it('control files fold long fields', () => {
  expect(index[1]?.get('Description')).toBe(
    'Linux 6.1 for 64-bit PCs (signed)\nThe Linux kernel\n.\nof its time.',
  );
  expect(parseControl('\n\nnonsense\n\n')).toEqual([]);
});
