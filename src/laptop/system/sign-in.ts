import type { SignInDirectory } from '../../protocol/sign-in-directory.ts';
import type { Found } from './found.ts';

/** How people are to sign in: as the slice gave it, and where this laptop has what it proves itself with. */
export interface SignInSettings {
  /** The customer's slug: the settings are named after it. */
  readonly slug: string;
  readonly directory: SignInDirectory;
  /** The files with which the directory is bound to; absent where it has to be done with the keytab instead. */
  readonly certificate?: { readonly certificate: string; readonly key: string };
}

/** What is set up for signing in, as the system itself shows it. */
export interface SignInStatus {
  /** Of the settings, as the slice named them. */
  readonly revision: string | undefined;
  /** What is missing of it, or was changed by others; empty when it is whole. */
  readonly lacks: readonly string[];
  readonly running: boolean;
  /**
   * Since when the part that speaks to the directory runs, milliseconds since 1970; it has the certificate of that moment. Undefined where it
   * does not run.
   */
  readonly backendSince: number | undefined;
  /** The file of the certificate that it binds with, if it does so. */
  readonly certificate: string | undefined;
}

/**
 * Signing in to this laptop. Obligations of an implementation:
 * - `check` changes nothing, and throws why it cannot be set up: `unsupported-system`, `tool-missing`, `sign-in-taken`.
 * - `setUp` takes the desired state and is safe to repeat, also after an interruption. Settings of others are never overwritten:
 *   `sign-in-taken`. It resolves once the system asks the directory for its people, and throws `sign-in-failed` otherwise.
 *   Secrets are in files that only root can read, and in no argument.
 * - `remove` brings back what was before, and leaves neither settings nor what people have signed in with. The homes of people are theirs,
 *   and stay. Repeated, it changes nothing.
 * - `restart` lets the part that speaks to the directory begin anew, without cutting off who is just signing in.
 * - `found` and `status` change nothing and need no record; `status` is undefined when nothing is set up.
 */
export interface SignIn {
  check(): Promise<void>;
  setUp(settings: SignInSettings, signal?: AbortSignal): Promise<void>;
  remove(): Promise<void>;
  restart(): Promise<void>;
  found(): Promise<readonly Found[]>;
  status(): Promise<SignInStatus | undefined>;
}
