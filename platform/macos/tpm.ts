import { KiwiError } from '../../src/core/errors.ts';
import type { Tpm } from '../../src/laptop/system/tpm.ts';

/**
 * A Mac has no TPM. Its Secure Enclave keeps keys only for programs with an entitlement of Apple's, and proves to nobody but Apple's servers
 * where a key is: the device key stays in a file for root alone, and the enrollment says so.
 */
export function noTpm(): Tpm {
  const refuse = (): Promise<never> =>
    Promise.reject(new KiwiError('tpm-missing', { detail: 'keys in the Secure Enclave are not supported yet' }));
  return { createKey: refuse, endorsementCertificate: refuse, activate: refuse };
}
