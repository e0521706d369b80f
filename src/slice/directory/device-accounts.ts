/** What the accounts of a laptop are made for. */
export interface AccountOwner {
  readonly deviceId: string;
  readonly hostName: string;
}

/**
 * What a laptop is in the customer's directory: its entry, and its principal, with which it proves the KDC to itself. A laptop chooses its host name:
 * one that calls itself as a server does must never get that server's key.
 */
export interface DeviceAccounts {
  /** With its realm. */
  principal(owner: AccountOwner): string;
  /**
   * Makes both, unless they are there.
   * @returns the principal's keytab
   * @throws KiwiError `directory-unavailable`
   */
  make(owner: AccountOwner): Promise<Buffer>;
  /** Makes the keytab that was handed out worthless. Safe to repeat. @throws KiwiError `directory-unavailable` */
  retireKey(owner: AccountOwner): Promise<void>;
  /**
   * Removes what was made for this device, and nothing of another one that has its name by now. Safe to repeat.
   * @throws KiwiError `directory-unavailable`
   */
  remove(owner: AccountOwner): Promise<void>;
}

/** By it an entry is known as this device's. */
export const markOf = (deviceId: string): string => `KiwiStack device ${deviceId}`;

export const isMark = (text: string): boolean => /^KiwiStack device [0-9a-f-]{36}$/u.test(text);
