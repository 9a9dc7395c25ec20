/** All contenders: exopool first, then its peers, each with default settings and as its documentation tunes it. */
import { betterSqlite3Default, betterSqlite3Tuned } from './better-sqlite3.js';
import { classicLevelDefault, classicLevelTuned } from './classic-level.js';
import type { Contender } from './contender.js';
import { exopool } from './exopool.js';
import { lmdbDefault, lmdbTuned } from './lmdb.js';
import { rocksdbDefault, rocksdbTuned } from './rocksdb.js';

export const contenders: readonly Contender[] = [
  exopool,
  lmdbDefault,
  lmdbTuned,
  classicLevelDefault,
  classicLevelTuned,
  betterSqlite3Default,
  betterSqlite3Tuned,
  rocksdbDefault,
  rocksdbTuned,
];
