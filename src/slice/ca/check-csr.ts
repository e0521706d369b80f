import type { KeyObject } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import { CsrError, readCsr } from '../../pki/csr.ts';
import { samePublicKey } from '../../pki/keys.ts';

/**
 * A certificate request must be for the device's own key, and signed by it.
 * @param csr PKCS#10 in DER, base64url
 * @throws KiwiError `csr-refused`
 */
export async function checkCsr(csr: string, deviceKey: KeyObject): Promise<void> {
  try {
    const { publicKey } = await readCsr(Buffer.from(csr, 'base64url'));
    if (!samePublicKey(publicKey, deviceKey)) throw new KiwiError('csr-refused', { detail: 'for another key' });
  } catch (error) {
    if (!(error instanceof CsrError)) throw error;
    throw new KiwiError('csr-refused', { detail: error.message, cause: error });
  }
}
