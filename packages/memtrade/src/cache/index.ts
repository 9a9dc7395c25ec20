/** Leased memory as a cache for programs, and as a store of keyv and cache-manager. */
export { KeyvStore } from './keyv-store.js';
export { RemoteCache, type RemoteCacheEvents, type SetOptions } from './remote-cache.js';
