/**
 * Runs a command under another Debian kernel, in QEMU: for tests of what needs a kernel that the machine does not run.
 */
export { runInGuest, type GuestOptions } from './run-in-guest.js';
export { cacheFolder } from './cache-folder.js';
export type { Output } from './guest.js';
export {
  prepareDriver,
  measureCommand,
  type DriverKit,
  type DriverKitOptions,
  type DriverMeasurement,
} from './driver-kit.js';
