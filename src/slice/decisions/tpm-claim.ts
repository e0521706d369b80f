import { KiwiError } from '../../core/errors.ts';
import { CertificateError, parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { jwkThumbprint, publicJwk } from '../../pki/keys.ts';
import { makeCredential, type TpmCredential } from '../../pki/tpm-credential.ts';
import { verifyTpmMaker } from '../../pki/tpm-maker.ts';
import { readTpmPublic, TpmError } from '../../pki/tpm-public.ts';
import type { TpmClaim } from '../../protocol/tpm-key.ts';

/**
 * Answers the claim that a device key is in a TPM with a credential for that TPM and that key: whoever reads its secret has proven it.
 * What the claim says is checked before: the maker of the TPM, the attributes of the key, and that it is the key of this hello.
 *
 * @param makers whose TPMs count; `any` where it is known by other means which TPM it has to be
 * @param secret at most 32 bytes
 * @throws KiwiError `tpm-maker-unknown`, `tpm-key-refused`
 */
export function credentialFor(
  claim: TpmClaim,
  deviceKeyThumbprint: string,
  { makers, secret }: { readonly makers: readonly Certificate[] | 'any'; readonly secret: Buffer },
): TpmCredential {
  try {
    const key = readTpmPublic(Buffer.from(claim.publicArea, 'base64url'));
    if (jwkThumbprint(publicJwk(key.publicKey)) !== deviceKeyThumbprint) {
      throw new KiwiError('tpm-key-refused', { detail: 'another key than the hello commits to' });
    }
    const certificate = parseCertificate(Buffer.from(claim.endorsement, 'base64url'));
    if (makers !== 'any') requireMaker(certificate, makers);
    return makeCredential(certificate.publicKey, key.name, secret);
  } catch (error) {
    if (!(error instanceof TpmError || error instanceof CertificateError)) throw error;
    throw new KiwiError('tpm-key-refused', { detail: error.message, cause: error });
  }
}

function requireMaker(certificate: Certificate, makers: readonly Certificate[]): void {
  try {
    verifyTpmMaker(certificate, makers);
  } catch (error) {
    if (!(error instanceof TpmError)) throw error;
    throw new KiwiError('tpm-maker-unknown', { detail: error.message, cause: error });
  }
}
