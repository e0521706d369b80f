import type { EncryptedVolume } from '../../protocol/disk-escrow.ts';
import type { AuditEntry, Millis } from './audit-entry.ts';

/** The recovery key of a laptop's disk, as the slice has it: encrypted to keys of the customer's that are not here. */
export interface KeptRecoveryKey {
  readonly deviceId: string;
  readonly generation: number;
  readonly volume: EncryptedVolume;
  /** Compact JWEs, one for each recipient. */
  readonly escrow: readonly string[];
  readonly receivedAt: Millis;
  /** When an operator was given it first. */
  readonly usedAt: Millis | null;
}

/** A part of `Registry`, whose promises it keeps. */
export interface RecoveryKeyRegistry {
  /**
   * Keeps a recovery key, and of its device's the newest ones only: until the laptop has removed an old one from its disk, that one
   * opens it too.
   * @returns `known` when the same one is kept already; `older` when there is a newer one, or another of this generation
   */
  storeRecoveryKey(
    key: Omit<KeptRecoveryKey, 'usedAt'>,
    keep: number,
    audit: AuditEntry,
  ): Promise<'stored' | 'known' | 'older'>;
  /** Of one device, or of all, newest first. */
  listRecoveryKeys(deviceId?: string): Promise<KeptRecoveryKey[]>;
  /** Somebody is given it: its laptop makes another one. The first time counts. @returns false when it is not kept (any more) */
  markRecoveryKeyUsed(deviceId: string, generation: number, now: Millis, audit: AuditEntry): Promise<boolean>;
}
