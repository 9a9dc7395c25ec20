#!/usr/bin/env node
/** The `exopool` command: one line for an error, the right exit status, and a quiet end when nobody listens. */
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
  // Not when the event loop is empty: an input without an end would keep it busy. Output is written by now: on Linux
  // standard streams of every kind are synchronous.
  process.exit(exitStatusOf(error));
}
