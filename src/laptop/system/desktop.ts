/** Somebody who is logged in at a screen of this laptop. */
export interface DesktopSession {
  /** Of the operating system: unique while the session lasts. */
  readonly id: string;
  readonly uid: number;
}

/** Short texts of ours: nothing in them comes from a network, a file or a user. */
export interface Notice {
  readonly title: string;
  readonly body: string;
}

/**
 * The desktops on which a person can be told something. Obligations of an implementation:
 * - it speaks to a session with the rights of its user and no others, and nothing that this user has put anywhere (a name, an
 *   environment, a service that hangs) can stop it for more than a few seconds, or make it do anything else.
 * - without a desktop, `sessions` is empty. `show` and `close` never throw for what is wrong at the other side.
 */
export interface Desktop {
  sessions(): Promise<readonly DesktopSession[]>;
  /** Shows a notice until it is closed. @returns its number, by which it can be closed; undefined when it was not shown */
  show(session: DesktopSession, notice: Notice): Promise<number | undefined>;
  /** Takes a notice away that may be gone already. */
  close(session: DesktopSession, notice: number): Promise<void>;
}
