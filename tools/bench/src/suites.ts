import { lookup } from './lookup/lookup.js';
import type { Suite } from './suite.js';

export const suites: readonly Suite[] = [lookup];
