import type { ChildProcess } from 'node:child_process';
import { join } from 'node:path';

import type { Room } from './room.ts';
import { runInRoom, spawnInRoom, type RunOptions, type RunResult, type SpawnOptions } from './run-in-room.ts';
import type { RunningRoom } from './start-room.ts';

/**
 * A room's folder in the lab's memory: its path in the lab's namespaces, and the path of the same folder on the host.
 */
export interface Disk {
  readonly inLab: string;
  readonly onHost: string;
}

/** A room made of namespaces. */
export class NamespaceRoom implements Room {
  readonly name: string;
  readonly address: string;
  /** Undefined while the room is off. */
  running: RunningRoom | undefined;
  /** Added to the environment of every program. */
  readonly #env: Readonly<Record<string, string>>;

  constructor(name: string, address: string, running?: RunningRoom, env: Readonly<Record<string, string>> = {}) {
    this.name = name;
    this.address = address;
    this.running = running;
    this.#env = env;
  }

  get pid(): number {
    if (this.running === undefined) throw new TypeError(`${this.name} is off`);
    return this.running.pid;
  }

  run(argv: readonly string[], options: RunOptions = {}): Promise<RunResult> {
    return runInRoom(this.pid, argv, { ...options, env: { ...this.#env, ...options.env } });
  }

  spawn(argv: readonly string[], options: SpawnOptions = {}): ChildProcess {
    return spawnInRoom(this.pid, argv, { ...options, env: { ...this.#env, ...options.env } });
  }

  path(insidePath: string): string {
    return join('/proc', String(this.pid), 'root', insidePath);
  }
}
