/** For other tools: the command line as a value, and the readers of foreign formats. */
export { makeProgram } from './program.js';
export {
  formats,
  readEntries,
  type Entry,
  type EntrySource,
  type Format,
  type ReadOptions,
} from './readers/index.js';
