/** Foreign formats as entries for a store. */
export type { Entry } from './entry.js';
export { formats, readEntries, type EntrySource, type Format, type ReadOptions } from './read-entries.js';
