import type { TpmCredential } from '../../pki/tpm-credential.ts';
import type { TpmKeyParts } from '../../pki/tpm-key-file.ts';

/**
 * The laptop's TPM 2.0. Obligations of an implementation:
 * - nothing stays in the TPM: a key is what `createKey` returns, and whoever drops that has no key.
 * - nothing in the TPM that is not ours is changed, and no password of it is asked for.
 * - each throws `tpm-missing` where there is no TPM, `tpm-owned`, `tpm-locked`, or `tpm-failed` with what the TPM said.
 */
export interface Tpm {
  /** A P-256 key without a password that cannot leave this TPM; made in about a second. */
  createKey(): Promise<TpmKeyParts>;
  /** DER: the maker's certificate of the endorsement key. @throws KiwiError `tpm-uncertified` when there is none in it */
  endorsementCertificate(): Promise<Buffer>;
  /** TPM2_ActivateCredential. @returns the secret @throws KiwiError `tpm-failed` when it is for another key or TPM */
  activate(key: TpmKeyParts, credential: TpmCredential): Promise<Buffer>;
}
