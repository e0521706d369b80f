/** A process of this laptop that asks for something, as polkit names one. */
export interface Caller {
  readonly pid: number;
  /** Clock ticks since boot; with it, a pid names one process for ever. */
  readonly startTime: string;
  readonly uid: number;
  /** True while its user is at the screen, where the system says so with the caller; polkit finds it out by itself. */
  readonly atScreen?: boolean;
}

/** What a caller may be allowed. `upkeep` is what the laptop does by itself too, only earlier. */
export type Permission = 'read' | 'upkeep' | 'repair' | 'support' | 'enroll' | 'uninstall';

/** Decides who may do what on this laptop; it may ask the person, or an administrator. */
export interface Authority {
  /** @throws KiwiError `not-authorised` */
  require(caller: Caller, permission: Permission, signal: AbortSignal): Promise<void>;
}

/** Lets the system ask the person at our terminal for a password. @returns ends it */
export type PasswordPrompt = () => Promise<() => void>;
