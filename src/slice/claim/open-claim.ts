import { base64url, sha256 } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { CertificateError, parseCertificate } from '../../pki/certificate.ts';
import { challengeProof } from '../../pki/claim-token.ts';
import { tpmSecret } from '../../pki/tpm-proof.ts';
import { claimHello, type ClaimChallenge } from '../../protocol/claim.ts';
import { TYP } from '../../protocol/common.ts';
import { tpmClaimIn, tpmExtension, type TpmClaim } from '../../protocol/tpm-key.ts';
import { credentialFor } from '../decisions/tpm-claim.ts';
import { answerHello, parseHello, type Opening } from '../enrollment/answer-hello.ts';
import type { RequestContext, SliceContext } from '../slice-context.ts';
import { knownToken } from './known-token.ts';

type OfClaim = Pick<ClaimChallenge, 'tokenProof' | 'extensions'>;

/**
 * Answers the hello of a laptop that says it has a token. Nothing in what happens here depends on whether the token is known: who guesses
 * ids learns nothing, neither from the answer nor from its time.
 *
 * @returns the challenge, a compact JWS
 * @throws KiwiError `request-malformed`, `protocol-unsupported`, `agent-too-old`, `attempt-conflict`,
 *   `session-expired`, `too-many-requests`, `tpm-key-refused`
 */
export async function openClaim(slice: SliceContext, body: Buffer, request: RequestContext): Promise<string> {
  const message = parseHello(claimHello, body);
  const { key } = await knownToken(slice, message.tokenId);
  const gateway = slice.identity.grantCertificate;
  const said = tpmClaimIn(message);
  if (said === 'malformed') throw new KiwiError('request-malformed', { detail: 'what it says of a TPM' });
  const endorsement = said === undefined ? null : endorsementOf(said.endorsement);
  const members = (opening: Opening): OfClaim => ({
    tokenProof: challengeProof(key, { ...opening, gateway }),
    ...(said === undefined ? {} : tpmPart(said, message.deviceKeyThumbprint, opening)),
  });
  const kept = { tokenId: message.tokenId, endorsement };
  return answerHello(slice, body, { message, typ: TYP.claimChallenge, members, kept }, request);
}

/**
 * The credential for the TPM that the laptop names. Which TPM it has to be stands in the registry, beside the token: it is compared once
 * the laptop has proven that it has the token.
 */
function tpmPart(said: TpmClaim, deviceKeyThumbprint: string, session: Opening): Pick<OfClaim, 'extensions'> {
  const secret = tpmSecret(session.key, session.id);
  const { idObject, encryptedSecret } = credentialFor(said, deviceKeyThumbprint, { makers: 'any', secret });
  const credential = { idObject: base64url(idObject), encryptedSecret: base64url(encryptedSecret) };
  return { extensions: tpmExtension({ want: 'prefer', credential }) };
}

/** As the OEM names it: SHA-256 of the key, not of its certificate, which may be renewed. */
function endorsementOf(certificate: string): string {
  try {
    return sha256(parseCertificate(Buffer.from(certificate, 'base64url')).spki).toString('hex');
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    throw new KiwiError('tpm-key-refused', { detail: error.message, cause: error });
  }
}
