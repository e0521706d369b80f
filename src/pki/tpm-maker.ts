import type { Certificate } from './certificate.ts';
import { KEY_USAGE } from './certificate-fields.ts';
import { TpmError } from './tpm-public.ts';

/** tcg-kp-EKCertificate (TCG EK Credential Profile, section 3.2.16). */
const EK_CERTIFICATE = '2.23.133.8.1';
/** Basic constraints, key usage, extended key usage, and the alternative name that says which TPM it is. */
const UNDERSTOOD = ['2.5.29.19', '2.5.29.15', '2.5.29.37', '2.5.29.17'];
const LONGEST_CHAIN = 4;

/**
 * Verifies that a certificate is of an endorsement key in a TPM of a maker whom the customer trusts: it ends in one of the pinned
 * roots, directly or through intermediates that are pinned as well. What a laptop might send of the chain is not used.
 *
 * Dates are not checked: a TPM keeps its certificate for life, and whether it is still sold says nothing about its key.
 *
 * @param makers CA certificates; a self-signed one ends a chain
 * @throws TpmError
 */
export function verifyTpmMaker(certificate: Certificate, makers: readonly Certificate[]): void {
  if (certificate.isCa || !certificate.extendedKeyUsages.includes(EK_CERTIFICATE)) {
    throw new TpmError('not the certificate of an endorsement key');
  }
  if (certificate.criticalOids.some((oid) => !UNDERSTOOD.includes(oid))) throw new TpmError('a critical extension');
  let at = certificate;
  for (let below = 0; below < LONGEST_CHAIN; below++) {
    const issuer = makers.find((maker) => maker.isCa && maker.subjectDer.equals(at.issuerDer) && at.isSignedBy(maker));
    if (issuer === undefined) throw new TpmError('not of a maker whom this customer trusts');
    const { pathLength, keyUsage } = issuer;
    if (pathLength !== undefined && pathLength < below) throw new TpmError('longer than its issuers allow');
    if (keyUsage !== undefined && (keyUsage & KEY_USAGE.keyCertSign) === 0) {
      throw new TpmError('by a key that may not sign certificates');
    }
    if (issuer.subjectDer.equals(issuer.issuerDer)) return;
    at = issuer;
  }
  throw new TpmError('chain too long');
}
