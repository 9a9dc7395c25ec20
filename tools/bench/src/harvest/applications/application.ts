/** What is harvested from: a program in a memory cgroup of its own, and the load on it, which is outside. */
import type { MemoryCgroup } from '@exopool/native';
import type { LoadWindow } from '../load/window.js';

export interface ApplicationPlan {
  /** Roughly what it will hold. */
  readonly bytes: number;
  /** Of this run; sockets and data files go there. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

export interface Application {
  readonly name: 'redis' | 'memcached' | 'postgresql' | 'batch';
  /** What the load does. */
  readonly workload: string;
  /** Starts it, fills it, and opens the load. @throws ExopoolError `EXOPOOL_NOT_FOUND` when it is not installed. */
  start(plan: ApplicationPlan): Promise<RunningApplication>;
}

export interface RunningApplication {
  readonly cgroup: MemoryCgroup;
  /** For `--metric`; `undefined`: it tells nothing about itself, page-ins are looked at. */
  readonly metric: string | undefined;
  /** For `--drop-slack`; `undefined`: the metric's own. */
  readonly dropSlack?: number;
  /** One window of its usual load. */
  run(seconds: number): Promise<LoadWindow>;
  /** One of as much as it can do; `undefined`: that is its usual load. */
  readonly runFlatOut: ((seconds: number) => Promise<LoadWindow>) | undefined;
  /** One in which suddenly three times as much is asked for, and all data alike. */
  readonly runBurst?: (seconds: number) => Promise<LoadWindow>;
  close(): Promise<void>;
}
