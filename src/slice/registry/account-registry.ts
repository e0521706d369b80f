import type { Millis } from './audit-entry.ts';

/** What was made in the customer's directory for a device that has ended. */
export interface EndedAccount {
  readonly deviceId: string;
  readonly hostName: string;
  /** It may be found: its entry stays, and only its key goes. */
  readonly lost: boolean;
}

/** Accounts in the customer's directory; a part of `Registry`, whose promises it keeps. */
export interface AccountRegistry {
  /** Recorded before the accounts are made: what was begun has to be removed as well. Safe to repeat. */
  noteAccount(deviceId: string, now: Millis): Promise<void>;
  /** What is to be removed. A lost device is listed until its key is retired, and again when it ends for good. */
  listEndedAccounts(limit: number): Promise<EndedAccount[]>;
  noteKeyRetired(deviceId: string): Promise<void>;
  forgetAccount(deviceId: string): Promise<void>;
}
