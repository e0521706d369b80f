import type { SecretBytes } from '../../core/secret-bytes.ts';
import type { EncryptedVolume } from '../../protocol/disk-escrow.ts';

/** The place of a key in a LUKS2 volume. */
export type LuksPlace = Extract<EncryptedVolume, { readonly kind: 'luks2' }>;

/** An encrypted volume, as it stands. */
export interface Volume {
  readonly uuid: string;
  /** The slots with a key in them. */
  readonly slots: readonly number[];
  /** Of the volume key: another one after the volume was re-encrypted. */
  readonly keyDigest: string;
  /** Part of it is encrypted with the old volume key, and part with the new one. */
  readonly halfReencrypted: boolean;
  /** The TPM has a key for it. */
  readonly tpm: boolean;
}

/** What an OEM left for whoever is to secure the disk. */
export interface FactoryKey {
  /** The file with the key that opens the volume of every laptop of the image. */
  readonly file: string;
  /** `shared`: the volume was copied, with its volume key, so it is re-encrypted first. `own`: it was formatted on this laptop. */
  readonly volumeKey: 'shared' | 'own';
}

/** What opens the volume so that something can be changed in it. */
export type Opener =
  | { readonly by: 'file'; readonly file: string }
  | { readonly by: 'tpm' }
  | { readonly by: 'passphrase'; readonly passphrase: SecretBytes };

/**
 * The disk of this laptop. Obligations of an implementation:
 * - a key goes to programs through stdin or a file that is there already, never in an argument or the environment, and never to a file
 *   system that is not in memory.
 * - that a key opens a slot is tried with this key and this slot alone: a TPM that opens the volume as well proves nothing.
 * - each method may be repeated after it was interrupted anywhere. A re-encryption goes on without us: it must not end with our process.
 * All throw KiwiError `disk-not-secured` when there is no volume of ours, and `program-failed`, `tool-missing`.
 */
export interface Disk {
  /** The factory's key; undefined where there is none (any more). @throws KiwiError `state-damaged` */
  factoryKey(): Promise<FactoryKey | undefined>;
  /** The volume that is to be secured; undefined where the disk is not encrypted in a way that we know. */
  look(): Promise<Volume | undefined>;
  /** The slot that the key in a file opens; undefined when it opens none. */
  slotOf(file: string): Promise<number | undefined>;
  /** Whether a key opens a slot. */
  opens(slot: number, key: SecretBytes): Promise<boolean>;
  /**
   * Of all that decides whether a key opens a slot: as long as it stays the same, the key that opened it still does (docs/decisions/0027).
   * Undefined when nothing is in the slot.
   */
  slotDigest(slot: number): Promise<string | undefined>;
  /** Adds a recovery key, and marks it as one, so that a person may type it at boot. */
  addKey(slot: number, key: SecretBytes, opener: Opener): Promise<void>;
  /** Removes what is in a slot, without asking for a key. An empty slot is no error. @throws KiwiError `disk-not-secured` for the last one */
  removeSlot(slot: number): Promise<void>;
  /** Begins the re-encryption, or resumes it. It is going on when this resolves. */
  reencrypt(file: string): Promise<void>;
  /** The re-encryption is going on. */
  isReencrypting(): Promise<boolean>;
  /** Whether there is a TPM that could open the volume at boot. */
  hasTpm(): Promise<boolean>;
  /** Has the TPM open the volume from the next boot on, and tries it. @throws KiwiError `tpm-failed` */
  useTpm(file: string): Promise<void>;
  /** Whether the TPM, and nothing else, opens the volume now. */
  tpmOpens(): Promise<boolean>;
  /** Removes the slot that the factory's key opens, and then its file. */
  removeFactoryKey(): Promise<void>;
}
