/** The combined stack on one machine, measured; `exopool demo` is the command for it. */
export { runDemo, secondsMin, type DemoOptions } from './demo.js';
export { closingTable } from './closing-table.js';
export { passed, toJson, type Check, type DemoResult } from './result.js';
export type { DemoData } from './load-data.js';
export type { ServeMessage } from './messages.js';
