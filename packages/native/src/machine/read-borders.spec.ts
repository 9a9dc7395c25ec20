import { existsSync, readFileSync } from 'node:fs';
import { needs } from '@exopool/house';
import { describe, expect, it } from 'vitest';
import {
  functionProbes,
  kernelFunctions,
  readRoute,
  tracepointProbes,
  type ReadRoute,
} from './read-borders.js';

const route: ReadRoute = {
  fileSystem: 'xfs',
  device: 'nvme0n1',
  driver: { functions: ['nvme_queue_rq', 'nvme_queue_rqs'], kind: 'request' },
  readFunction: 'xfs_file_read_iter',
};
const programs = (has: (name: string) => boolean): string[] =>
  functionProbes(route, has).map(({ program }) => program);

describe('probes', () => {
  it('are at functions where the kernel has them', () => {
    const probes = functionProbes(route, () => true);
    expect(probes).toContainEqual({ program: 'fs_in', function: 'xfs_file_read_iter' });
    expect(probes).toContainEqual({ program: 'driver_list_out', function: 'nvme_queue_rqs' });
    expect(probes.map(({ program }) => program)).not.toContain('point_fs_in');
  });

  it('are tracepoints for the others, and each border has one program alone', () => {
    const found = programs((name) => !name.startsWith('xfs') && name !== 'nvme_queue_rqs');
    expect(found).toContain('point_fs_in');
    expect(found).toContain('driver_in');
    expect(found).not.toContain('driver_list_in');
    expect(programs(() => false)).toEqual(tracepointProbes().map(({ program }) => program));
    for (const side of ['syscall_in', 'syscall_out', 'fs_in', 'fs_out'])
      expect(found.filter((program) => program.replace('point_', '') === side)).toHaveLength(1);
  });
});

const noSymbols = existsSync('/proc/kallsyms') ? undefined : 'there is no /proc/kallsyms';

it('functions of this kernel are known by their whole names', needs('kallsyms', noSymbols), () => {
  const has = kernelFunctions();
  expect(has('vfs_read')).toBe(true);
  expect(has('vfs_rea')).toBe(false);
});

it('probes are the programs of the BPF object, all of them', () => {
  const source = readFileSync(new URL('../../kernel/bpf/read_trace.bpf.c', import.meta.url), 'utf8');
  const written = [...source.matchAll(/^SEC\("[^"]+"\)\nint (\w+)\(/gm)].map(([, name]) => name);
  const asked = [...programs(() => true), ...tracepointProbes().map(({ program }) => program)];
  expect(new Set(written)).toEqual(new Set(asked));
});

it('a path without a device of its own has no route', () => {
  expect(() => readRoute('/proc/self/status')).toThrow(
    expect.objectContaining({ code: 'EXOPOOL_UNSUPPORTED' }),
  );
  expect(() => readRoute('/nowhere')).toThrow(expect.objectContaining({ code: 'EXOPOOL_NOT_FOUND' }));
});
