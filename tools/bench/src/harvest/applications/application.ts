/** An application to harvest from: a program in its own memory cgroup, and its load, which runs outside of it. */
import type { MemoryCgroup } from '@exopool/native';
import type { LoadWindow } from '../load/window.js';

export interface ApplicationPlan {
  /** Approximate size of its data. */
  readonly bytes: number;
  /** Folder of this run, for sockets and data files. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

export interface Application {
  readonly name: 'redis' | 'memcached' | 'postgresql' | 'batch';
  /** Description of the load. */
  readonly workload: string;
  /** Starts it, fills it, and connects the load. @throws ExopoolError `EXOPOOL_NOT_FOUND` if it is not installed. */
  start(plan: ApplicationPlan): Promise<RunningApplication>;
}

export interface RunningApplication {
  readonly cgroup: MemoryCgroup;
  /** Value of `--metric`. If `undefined`, the application has no metric, and the harvester watches page-ins. */
  readonly metric: string | undefined;
  /** Value of `--drop-slack`. If `undefined`, the metric's default. */
  readonly dropSlack?: number;
  /** Runs one window of the usual load. */
  run(seconds: number): Promise<LoadWindow>;
  /** Runs one window of the maximum load. If `undefined`, the usual load is the maximum. */
  readonly runFlatOut: ((seconds: number) => Promise<LoadWindow>) | undefined;
  /** Runs one window with three times the requests from the start, uniformly over all data. */
  readonly runBurst?: (seconds: number) => Promise<LoadWindow>;
  close(): Promise<void>;
}
