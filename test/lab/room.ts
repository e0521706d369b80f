import type { ChildProcess } from 'node:child_process';

import type { Dmi } from './dmi.ts';
import type { RunOptions, RunResult, SpawnOptions } from './run-in-room.ts';

/** A place in the lab with its own network, processes and host name. */
export interface Room {
  readonly name: string;
  /** Its IPv4 address on the made-up internet; for `inside`, Fleet's address behind the slice. */
  readonly address: string;
  /** Runs a program and waits for its end. A program that fails is a result, not an error; only a time-out throws. */
  run(argv: readonly string[], options?: RunOptions): Promise<RunResult>;
  /**
   * Starts a program; `kill` on the result reaches the program inside. The caller ends it, at the latest with
   * `destroy`.
   */
  spawn(argv: readonly string[], options?: SpawnOptions): ChildProcess;
  /**
   * The path of a room's file on the host. Do not follow absolute symbolic links from there: they would lead out of the
   * room.
   */
  path(insidePath: string): string;
}

/** A room with its own root file system, which is discarded with the lab. */
export interface Laptop extends Room {
  readonly dmi: Dmi;
  /** Its disk as seen from the host, even while it is off. (/run, /tmp, /proc, /sys and /dev are not on the disk.) */
  readonly root: string;
  /**
   * The differences from the disk as delivered, one path per line, sorted: `PATH file 0644 SHA256`, `PATH dir 0755`,
   * `PATH link TARGET`, `PATH gone`. A file that was rewritten with the same content does not differ.
   */
  changes(): Promise<string[]>;
  /** Simulates a power cut: every process is killed, memory is lost, the disk stays. */
  powerOff(): Promise<void>;
  /** Starts it again with the same disk, address and hardware, and starts its enabled units. */
  boot(): Promise<void>;
}

export interface LaptopSettings {
  readonly name: string;
  readonly dmi?: Partial<Dmi>;
  /** A real dbus-daemon and systemd-resolved inside, so that `resolvectl` works. Costs about half a second. */
  readonly resolved?: boolean;
}
