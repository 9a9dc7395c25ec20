/** All suites. Each loads its modules when it runs, so that the command line starts without loading four databases. */
import { needPeers } from './peers.js';
import type { Suite } from './suite.js';

export const suites: readonly Suite[] = [
  {
    name: 'lookup',
    description: 'point reads, ranges and writes against lmdb, classic-level, better-sqlite3 and rocksdb',
    run: async (options) => {
      needPeers({ stores: !options.engines });
      return options.engines
        ? (await import('./engines/engines.js')).runEngines(options)
        : (await import('./lookup/lookup.js')).runLookup(options);
    },
  },
  {
    name: 'harvest',
    description: 'what a producer takes from Redis, memcached, PostgreSQL and a batch job, and what it costs',
    run: async (options) => {
      needPeers({ stores: false });
      return (await import('./harvest/harvest.js')).runHarvest(options);
    },
  },
  {
    name: 'cache',
    description: 'gets of sealed values in leased memory against Redis, plain and as safe; a lost producer',
    run: async (options) => {
      needPeers({ stores: false });
      return (await import('./cache/cache.js')).runCache(options);
    },
  },
  {
    name: 'market',
    description: "what the broker's predictor promises of machines' memory, against what then stayed free",
    run: async (options) => (await import('./market/market.js')).runMarket(options),
  },
];
