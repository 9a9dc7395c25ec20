#!/usr/bin/env node
/** The `exopool` command: one line for an error, the right exit status, and no error when the reader of its output left. */
import { fileURLToPath } from 'node:url';
import { makeProgram } from './program.js';
import { exitStatusOf, reportError } from './report-error.js';
import { endOnBrokenPipe } from './shutdown.js';

endOnBrokenPipe(process.stdout);
endOnBrokenPipe(process.stderr);

try {
  await makeProgram(fileURLToPath(import.meta.url)).parseAsync();
} catch (error) {
  reportError(error);
  // At once: an endless input would keep the event loop busy. All output is written, since standard streams are
  // synchronous on Linux.
  process.exit(exitStatusOf(error));
}
