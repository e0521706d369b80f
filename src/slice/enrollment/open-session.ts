import { base64url } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { tpmSecret } from '../../pki/tpm-proof.ts';
import type { Challenge } from '../../protocol/challenge.ts';
import { TYP } from '../../protocol/common.ts';
import { hello, type Hello } from '../../protocol/hello.ts';
import { tpmClaimIn, tpmExtension } from '../../protocol/tpm-key.ts';
import { credentialFor } from '../decisions/tpm-claim.ts';
import type { RequestContext, SliceContext } from '../slice-context.ts';
import { answerHello, parseHello, type Opening } from './answer-hello.ts';

/**
 * Answers the hello of a laptop for which a YubiKey will vouch.
 *
 * @returns the challenge, a compact JWS
 * @throws KiwiError `request-malformed`, `protocol-unsupported`, `agent-too-old`, `attempt-conflict`,
 *   `session-expired`, `too-many-requests`, `tpm-maker-unknown`, `tpm-key-refused`
 */
export async function openSession(slice: SliceContext, body: Buffer, request: RequestContext): Promise<string> {
  const message = parseHello(hello, body);
  const members = (opening: Opening) => tpmPart(slice, message, opening);
  const kept = { tokenId: null, endorsement: null };
  return answerHello(slice, body, { message, typ: TYP.challenge, members, kept }, request);
}

/**
 * That this slice wants the device key in a TPM, and to a laptop that says its key is in one the credential that proves it. Nothing
 * where the slice does not want that: then it does not look at what a laptop says of its TPM.
 *
 * @throws KiwiError `request-malformed`, `tpm-maker-unknown`, `tpm-key-refused`
 */
function tpmPart(slice: SliceContext, message: Hello, session: Opening): Pick<Challenge, 'extensions'> {
  const { tpm: want } = slice.config.deviceKey;
  if (want === 'off') return {};
  const claim = tpmClaimIn(message);
  if (claim === undefined) return { extensions: tpmExtension({ want }) };
  if (claim === 'malformed') throw new KiwiError('request-malformed', { detail: 'what it says of a TPM' });
  const { idObject, encryptedSecret } = credentialFor(claim, message.deviceKeyThumbprint, {
    makers: slice.identity.tpmMakers,
    secret: tpmSecret(session.key, session.id),
  });
  const credential = { idObject: base64url(idObject), encryptedSecret: base64url(encryptedSecret) };
  return { extensions: tpmExtension({ want, credential }) };
}
