import { entry, type ErrorEntry } from './error-entry.ts';

/** What can be wrong with the TPM of a laptop; part of the table in error-codes.ts. */
export const TPM_CODES = {
  'tpm-missing': entry(
    'machine',
    'This laptop has no TPM 2.0 that can be used.',
    "Switch it on in the laptop's firmware, where it may be called PTT, fTPM or security chip, and run the command again.",
  ),
  'tpm-uncertified': entry(
    'machine',
    'The TPM of this laptop holds no certificate of its maker, so it cannot prove that a key is in it.',
    'Use another laptop, or ask your operator to enroll this one with a key in a file.',
  ),
  'tpm-failed': entry(
    'machine',
    'The TPM of this laptop did not do what was asked.',
    'The details say what it answered. Restart the laptop and run the command again.',
  ),
  'tpm-owned': entry(
    'machine',
    'Somebody has set a password on the TPM of this laptop, so it makes and uses no key of ours.',
    'Remove the owner password of the TPM with the program that set it, then run the command again.',
  ),
  'tpm-locked': entry(
    'machine',
    'The TPM of this laptop is locked after wrong passwords.',
    'It unlocks itself after some time, without a restart. Then run the command again.',
    { retryable: true },
  ),
  'tpm-key-gone': entry(
    'machine',
    'The device key cannot be used by the TPM of this laptop: it was cleared, or it is the TPM of another machine.',
    'The key cannot be restored. If the disk came from another laptop, put it back there. Otherwise run `kiwistack-enroll uninstall`, ask your operator for consent to enroll this laptop again, then enroll it.',
  ),
} satisfies Record<string, ErrorEntry>;
