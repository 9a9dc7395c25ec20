/** Builds every `measure/<name>.cc` beside the addon: `node scripts/measure.mjs` prints the paths of the programs. */
import { buildPrograms, release } from './standalone.mjs';

for (const program of buildPrograms('measure', release)) console.log(program);
