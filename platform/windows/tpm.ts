import { KiwiError } from '../../src/core/errors.ts';
import type { Tpm } from '../../src/laptop/system/tpm.ts';

/**
 * Keys in the TPM are not supported on Windows yet: CNG's platform provider signs, but does not do the key agreement from which the tunnel's key
 * is derived with the same key. The device key stays in a sealed file, and the enrollment says so.
 */
export function noTpm(): Tpm {
  const refuse = (): Promise<never> =>
    Promise.reject(new KiwiError('tpm-missing', { detail: 'keys in the TPM are not supported on Windows yet' }));
  return { createKey: refuse, endorsementCertificate: refuse, activate: refuse };
}
