/**
 * What all packages of exopool share: errors, identities, configuration, units, metrics, and the contract between the
 * store and leased memory. It depends on no other package of exopool.
 */
export { ExopoolError, errorCodes, toExopoolError, type ErrorCode } from './errors.js';
export { UndoStack, type UndoStep } from './undo-stack.js';
export type { CacheTier, CacheTierStats } from './cache-tier.js';
export { Identity, verifySignature, publicKeyBytes, seedBytes, signatureBytes } from './identity.js';
export {
  configFields,
  loadConfig,
  type ConfigField,
  type ConfigSchema,
  type ConfigSources,
} from './config.js';
export { GiB, KiB, MiB, formatBytes, formatCount, parseBytes, parseEndpoint } from './units.js';
export { Counter, Gauge, Histogram, Registry, serveMetrics, type MetricsServer } from './metrics.js';
