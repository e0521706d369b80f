import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { EncryptedVolume } from '../../protocol/disk-escrow.ts';

/**
 * Recovery keys of an operating system that makes them itself: FileVault, BitLocker. `Disk` is for LUKS, where ours are made. No key is
 * in an argument or the environment. All throw KiwiError `disk-not-secured` where the disk is not encrypted, and `program-failed`.
 */
export interface SystemRecoveryKey {
  /** Whether the system's disk is encrypted. */
  isOn(): Promise<boolean>;
  /**
   * Makes another recovery key. With FileVault, which has one, it takes the place of the one before.
   * @param opener what a person or an earlier key opens the disk with, where the system asks for it
   */
  make(opener?: SecretBytes): Promise<{ readonly volume: EncryptedVolume; readonly key: SecretBytes }>;
  /** Whether a recovery key still opens the disk. */
  opens(volume: EncryptedVolume, key: SecretBytes): Promise<boolean>;
  /** Takes an earlier one away; one that is gone is no error. */
  remove(volume: EncryptedVolume): Promise<void>;
}
