/** What keeps the tunnel up: a daemon of this program, or an app that the person has chosen. */
export type TunnelKeeper = 'daemon' | 'app';

/** Who keeps the tunnel of an enrollment, as the system itself shows it. There is no record of it that could say something else. */
export interface TunnelKeepers {
  /** Whether our daemon is set up to keep it; it need not run, because somebody may have stopped it. `half`: a run was killed at that. */
  readonly daemon: 'whole' | 'half' | 'none';
  /** The system has the app's profile, so the app keeps the tunnel up. */
  readonly app: boolean;
  /** The app is installed. */
  readonly appThere: boolean;
  /** When the profile was offered to the person, milliseconds since 1970; undefined where no offer is open. */
  readonly offeredAt: number | undefined;
}

/** The device that signs the profile, so that the system says whose it is: files of its certificate and its key, its customer's intermediate. */
export interface ProfileSigner {
  readonly certificate: string;
  readonly key: string;
  readonly intermediate: { readonly pem: string };
}

/**
 * Another program for the tunnel, by a profile that a person approves. Obligations of an implementation:
 * - the profile has the key of the tunnel, so an offer is a file for the person at the screen alone, who is an administrator and could
 *   read the key anyway.
 * - nothing of it touches the tunnel that our daemon keeps, except `stopDaemon`, which leaves what `Tunnel.start` needs.
 * - each method may be repeated after it was interrupted anywhere.
 */
export interface TunnelApp {
  /** @returns undefined where this system has no such app @throws KiwiError `tunnel-tools-failed` where the system does not tell */
  look(slug: string): Promise<TunnelKeepers | undefined>;
  /**
   * Shows the profile to the person at the screen; an earlier offer is replaced.
   * @param endpoints of the slice; a name among them is preferred to the address that it leads to now
   * @throws KiwiError `tunnel-app-unsupported`, `tool-missing` without the app, `not-authorised` where nobody is at the screen who may
   * approve it, `tunnel-tools-failed`
   */
  offer(slug: string, endpoints: readonly string[], signer: ProfileSigner, signal?: AbortSignal): Promise<void>;
  /** Takes an offer back. What the system has approved stays. */
  withdraw(slug: string): Promise<void>;
  /** Takes an offer back, and an approved profile too, and with it the app's tunnel. @throws KiwiError `tunnel-app-stays` */
  remove(slug: string): Promise<void>;
  /** Stops our daemon, also for later starts of the system, and removes its interface. @throws KiwiError `tunnel-tools-failed` */
  stopDaemon(slug: string): Promise<void>;
}
