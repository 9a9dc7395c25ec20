/** Measures exopool against its peers in the same run. `exopool bench` is the command for it. */
export { suites } from './suites.js';
export type { Row, Suite, SuiteOptions, SuiteResult } from './suite.js';
export { summary } from './report/markdown.js';
export { writePicture } from './report/picture.js';
export { writeReport, toJson } from './report/write-report.js';
