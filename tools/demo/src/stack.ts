/**
 * The processes of the demo, all on loopback:
 *
 *   broker  <-- producer "idle"   memory that nobody uses
 *           <-- producer "redis"  runs redis-server in a cgroup and harvests from it  <-- load
 *           <-- consumer          a store with leased memory as its cache tier
 *
 * Broker and producers are the commands that an operator would start. The system chooses the ports.
 */
import { createServer } from 'node:net';
import { once } from 'node:events';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MemoryCgroup } from '@exopool/native';
import { processIdentity, type ProcessIdentity } from '@exopool/native/internal';
import { UndoStack } from '@exopool/shared';
import { Child } from './child.js';
import type { Traces } from './cleanup-check.js';
import type { ConsumerPlan } from './consumer-plan.js';
import type { RedisLoadPlan } from './redis-load.js';

export class Stack {
  readonly #mainPath: string;
  readonly #signal: AbortSignal;
  readonly #children: Child[] = [];
  /** Processes that producers started, such as Redis. */
  readonly #commands: ProcessIdentity[] = [];
  /** Cgroups of these processes. */
  readonly #cgroups: string[] = [];

  /**
   * @param mainPath the file that runs the `exopool` command.
   */
  constructor(mainPath: string, signal: AbortSignal) {
    this.#mainPath = mainPath;
    this.#signal = signal;
  }

  /** Starts a command of exopool, and waits until it is ready. */
  startCommand(name: string, words: readonly string[]): Promise<{ child: Child; facts: Facts }> {
    return this.#start(new Child(name, this.#mainPath, words));
  }

  startRedisLoad(plan: RedisLoadPlan): Promise<{ child: Child; facts: Facts }> {
    return this.#start(new Child('redis load', siblingModule('redis-load.js'), [JSON.stringify(plan)]));
  }

  startConsumer(plan: ConsumerPlan): Promise<{ child: Child; facts: Facts }> {
    return this.#start(new Child('consumer', siblingModule('consumer-main.js'), [JSON.stringify(plan)]));
  }

  /** Everything that was started, so that a check can look for leftovers. */
  get traces(): Traces {
    const children = this.#children.flatMap(({ identity }) => identity ?? []);
    return { processes: [...children, ...this.#commands], paths: this.#cgroups };
  }

  /** @throws ExopoolError if one of the processes has failed. */
  assertRunning(): void {
    for (const child of this.#children) child.assertRunning();
  }

  /** Ends all processes, the last one first, so that each can sign off from the processes that it depends on. */
  async close(): Promise<void> {
    const undo = new UndoStack();
    undo.push(...this.#children.map((child) => () => child.close()));
    await undo.undo();
  }

  #remember(commandPid: number): void {
    const command = processIdentity(commandPid);
    if (command !== undefined) this.#commands.push(command);
    try {
      const { path } = MemoryCgroup.ofProcess(commandPid);
      if (basename(path).startsWith('exopool-')) this.#cgroups.push(path);
    } catch {
      // This machine has no memory cgroups, so there are none to check afterwards.
    }
  }

  async #start(child: Child): Promise<{ child: Child; facts: Facts }> {
    this.#children.push(child);
    const facts = await child.ready(this.#signal);
    if (typeof facts['commandPid'] === 'number') this.#remember(facts['commandPid']);
    return { child, facts };
  }
}

type Facts = Readonly<Record<string, unknown>>;

/** A port that is free now. If another process takes it before it is used, the start fails with an error. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  return typeof address === 'object' && address !== null ? address.port : 0;
}

function siblingModule(name: string): string {
  return fileURLToPath(new URL(name, import.meta.url));
}
