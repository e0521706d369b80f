import type { Found } from './found.ts';

/** How the Fleet agent is set up, apart from its package, which is the same for everybody. */
export interface AgentSettings {
  readonly url: string;
  /** PEM: the only root that the agent trusts for the Fleet server. */
  readonly serverCa: string;
  readonly enrollSecret: string;
  readonly enableScripts: boolean;
  /** True where the agent cannot reach its update server: it would try for ever. */
  readonly disableUpdates: boolean;
  /** The tunnel's unit: the agent starts after it, and pulls it in. */
  readonly startAfter: string | undefined;
}

export interface AgentStatus {
  /** Version of the installed package. */
  readonly version: string | undefined;
  /** True when the configuration beside the package is ours: an agent without it belongs to somebody else. */
  readonly configuredByUs: boolean;
  readonly running: boolean;
  /** True when orbit has its node key: the first of the two planes. The second shows only in Fleet and in the log. */
  readonly orbitEnrolled: boolean;
}

/**
 * The Fleet agent's package and its configuration on this operating system. Obligations of an implementation:
 * - `configure` takes the desired state, before or after the installation; the secret is in a file that only root can read.
 * - `install` takes a file whose hash was checked, waits while another package manager is at work, and is safe to repeat. A
 *   package manager that has started is never interrupted: an abort takes effect when it has finished. `waiting`
 *   is told once what it waits for. It throws `package-manager-busy` after two minutes, `package-install-failed`, or `unsupported-system` where there is no package manager that it supports.
 * - `forgetSecret` sees to it that the agent's node keys are on the disk, replaces the secret there with a dummy, and leaves the agent running.
 * - `uninstall` removes package, configuration and the agent's data; it is safe to repeat, even after a partial installation.
 *   An agent that somebody else configured is left alone, and so is every file that is not ours.
 * - `found` changes nothing and needs no record. What it does not call ours is in the way of an installation.
 * - `log` is what the agent has logged since a moment, newest last; empty where it cannot be read. It must not hold anything
 *   secret.
 */
export interface FleetAgent {
  status(): Promise<AgentStatus>;
  /** The same as in `status`, but cheap enough to be asked twenty times a second. */
  orbitEnrolled(): Promise<boolean>;
  configure(settings: AgentSettings): Promise<void>;
  install(packageFile: string, signal?: AbortSignal, waiting?: (what: string) => void): Promise<void>;
  forgetSecret(): Promise<void>;
  /** Undefined when there are no settings. */
  secretForgotten(): Promise<boolean | undefined>;
  uninstall(waiting?: (what: string) => void): Promise<void>;
  found(): Promise<readonly Found[]>;
  log(sinceMs: number): Promise<string>;
}
