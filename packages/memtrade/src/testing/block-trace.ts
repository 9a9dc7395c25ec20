/** Block requests of a real machine, where they are at hand. */
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const file = fileURLToPath(
  new URL('../../../../../shared/data/cloudphysics-block-io.csv.gz', import.meta.url),
);

export interface BlockRequest {
  readonly key: string;
  readonly bytes: number;
}

export function whyNoTrace(): string | undefined {
  return existsSync(file) ? undefined : `${file} is not there`;
}

export function blockTrace(): BlockRequest[] {
  const lines = gunzipSync(readFileSync(file)).toString('latin1').trimEnd().split('\n').slice(1);
  return lines.map((line) => {
    const [, , bytes, lbn] = line.split(',');
    return { key: lbn!, bytes: Number(bytes) };
  });
}
