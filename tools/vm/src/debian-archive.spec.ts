import { expect, it } from 'vitest';
import { mirrorsOf, sourcesList } from './debian-archive.js';

it('the mirrors are those that the machine uses', () => {
  const targets =
    'https://deb.nodesource.com/node_20.x/ \nhttp://mirror.example/debian/ Debian\nhttp://other/ Debian\n';
  expect(mirrorsOf(targets)).toEqual({
    main: 'http://mirror.example/debian/',
    security: 'http://deb.debian.org/debian-security/',
  });
  expect(mirrorsOf('').main).toBe('http://deb.debian.org/debian/');
});

it('sources are signed, and of the releases that have kernels', () => {
  const lines = sourcesList({ main: 'http://a/', security: 'http://b/' }).trim().split('\n');
  expect(lines).toContain(
    'deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://a/ sid main',
  );
  expect(lines.at(-1)).toMatch(/ http:\/\/b\/ trixie-security main$/);
});
