/** Flattens a nested object to rows of path and value; dots separate the parts of a path. */
import { formatCount } from '@exopool/shared';

export function flatten(value: unknown, path = ''): string[][] {
  if (typeof value !== 'object' || value === null) return [[path, formatLeaf(value)]];
  return Object.entries(value).flatMap(([name, item]) =>
    flatten(item, path === '' ? name : `${path}.${name}`),
  );
}

function formatLeaf(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? formatCount(value) : value.toFixed(3);
  return String(value);
}
