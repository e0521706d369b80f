import type { LossPartName, LossState } from '../decisions/loss-parts.ts';
import type { AuditEntry, Millis } from './audit-entry.ts';

/** A part of what is done about a lost laptop, and how far it is. */
export interface LossPart {
  readonly deviceId: string;
  readonly part: LossPartName;
  readonly state: LossState;
  /** Since when it is so. */
  readonly at: Millis;
  /** The last attempt that failed; null before the first. */
  readonly triedAt: Millis | null;
  /** Why it failed, or cannot be done. */
  readonly detail: string | null;
}

/** Lost laptops; a part of `Registry`, whose promises it keeps. */
export interface LossRegistry {
  /**
   * A laptop is lost: ends its device as `lost`, if it has not ended so already, and records what is to be done about it. Asked for again,
   * it adds what was not wanted before, and what was impossible.
   * @returns `unknown` when there is no such device, or it has ended for another reason
   */
  reportLost(
    deviceId: string,
    parts: readonly LossPartName[],
    now: Millis,
    audit: AuditEntry,
  ): Promise<'lost' | 'unknown'>;
  /** Of one device; empty when it was never reported. */
  listLoss(deviceId: string): Promise<LossPart[]>;
  /** Of all devices, what is not over yet, oldest first. Not the tunnel, which follows from the others. */
  openLossParts(limit: number): Promise<LossPart[]>;
  /** How far a part is. A wipe that is done leaves nothing to Fleet: its host goes, and so does the peer. */
  moveLossPart(
    deviceId: string,
    part: LossPartName,
    state: LossState,
    now: Millis,
    more?: { readonly detail?: string; readonly audit?: AuditEntry },
  ): Promise<void>;
  /** An attempt has failed, and will be repeated. */
  noteLossTrouble(deviceId: string, part: LossPartName, detail: string, now: Millis): Promise<void>;
  /**
   * A locked laptop was found: its peer comes back, restricted to Fleet, so that Fleet can unlock it.
   * @returns false when it was not locked, or nothing is left of it
   */
  reopenTunnel(deviceId: string, now: Millis): Promise<boolean>;
}
