/** Circles of imports and imports to a higher floor, found by dependency-cruiser. */
import { join } from 'node:path';
import { findingsOf, root } from './repository.js';

const config = join(root, 'tools/house/imports.config.mjs');

export const importFindings = (paths: readonly string[], cwd?: string): Promise<string> =>
  findingsOf('depcruise', ['--config', config, '--output-type', 'err-long', ...paths], cwd);
