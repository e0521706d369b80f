import { createPrivateKey, type KeyObject } from 'node:crypto';

import { constantTimeEqual } from '../../core/bytes.ts';
import type { ErrorCode } from '../../core/error-codes.ts';
import { KiwiError } from '../../core/errors.ts';
import { decryptWith } from '../../pki/jwe.ts';
import { JoseError, type OpenedSignature } from '../../pki/jws.ts';
import { keyAgreementAside } from '../../pki/key-agreement.ts';
import { jwkThumbprint, jwkToKey } from '../../pki/keys.ts';
import { tpmProof, tpmSecret } from '../../pki/tpm-proof.ts';
import { wireguardProof } from '../../pki/wireguard-proof.ts';
import type { P256Jwk } from '../../protocol/common.ts';
import type { Extensions } from '../../protocol/extensions.ts';
import type { Statement } from '../../protocol/statement.ts';
import { tpmProofIn } from '../../protocol/tpm-key.ts';
import { checkCsr } from '../ca/check-csr.ts';
import type { Voucher } from '../decisions/find-place.ts';
import { hostFlaw } from '../decisions/host-flaw.ts';
import { fingerprintFlaw } from '../decisions/match-fingerprints.ts';
import type { Device, KnownSession } from '../registry/registry.ts';
import type { RequestContext, SliceContext } from '../slice-context.ts';

/** What a laptop says of itself, in a statement and in a claim. */
export type SaidOfLaptop = Omit<Statement, 'yubikey'> & { readonly extensions?: Extensions | undefined };

/** A laptop whose claims are all proven, and for which somebody vouches. */
export interface Admitted extends Voucher {
  readonly statement: SaidOfLaptop;
  readonly deviceKey: P256Jwk;
  readonly keyKind: Device['keyKind'];
  readonly role: string;
  /** What is noted about what vouches for it; the policy of the slice lets it pass. */
  readonly warning: string | undefined;
}

/**
 * Every check of a message that needs no other device. @param claims receives what vouches for the laptop as soon as the message names it
 * @throws KiwiError with the code of the first check that fails
 */
export type Admit = (
  slice: SliceContext,
  session: KnownSession,
  body: Buffer,
  claims: RequestContext,
) => Promise<Admitted>;

export function refuse(code: ErrorCode, detail: string, cause?: unknown): never {
  throw new KiwiError(code, { detail, cause });
}

/** The private half of the session's `encryptionKey`. */
export function sessionKeyOf(session: KnownSession): KeyObject {
  if (session.privateKey === null) throw new KiwiError('session-expired');
  return createPrivateKey(session.privateKey);
}

/** Decrypts a message to the session's key. @param read takes its plain text apart, and verifies nothing yet */
export async function openTo<Opened>(
  sessionKey: KeyObject,
  body: Buffer,
  typ: string,
  read: (plain: Buffer) => Opened,
): Promise<Opened> {
  try {
    return read(await decryptWith(keyAgreementAside(sessionKey), body.toString('latin1'), typ));
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    const code = error.reason === 'undecryptable' ? 'statement-undecryptable' : 'request-malformed';
    return refuse(code, error.message, error);
  }
}

/** The device key is the one to which the hello committed, and it has signed. */
export async function checkDeviceSignature(
  session: KnownSession,
  byDevice: OpenedSignature,
): Promise<{ deviceKey: P256Jwk; devicePublicKey: KeyObject }> {
  const deviceKey = byDevice.header.jwk;
  if (deviceKey === undefined || byDevice.x5c.length > 0 || byDevice.header.kid !== undefined) {
    return refuse('device-signature-refused', 'no device key');
  }
  if (jwkThumbprint(deviceKey) !== session.deviceKeyThumbprint) {
    refuse('device-signature-refused', 'another key than the hello committed to');
  }
  const devicePublicKey = publicKeyOf(deviceKey);
  if (!(await byDevice.verifyAside(devicePublicKey))) refuse('device-signature-refused', 'signature');
  return { deviceKey, devicePublicKey };
}

function publicKeyOf(jwk: P256Jwk): KeyObject {
  try {
    return jwkToKey(jwk);
  } catch (error) {
    return refuse('device-signature-refused', 'not a point of the curve', error);
  }
}

/** The message is for this customer, this session and this challenge. */
export function checkMeant(slice: SliceContext, session: KnownSession, said: SaidOfLaptop): void {
  if (said.slug !== slice.config.customer.slug) refuse('statement-mismatch', 'slug');
  if (said.sessionId !== session.id) refuse('statement-mismatch', 'sessionId');
  if (said.challengeHash !== session.challengeHash) refuse('statement-mismatch', 'challengeHash');
}

/** What the laptop says of its keys and its hardware, in the order of protocol.md: CSR → TPM → WireGuard key → form of the fingerprint. */
export async function checkLaptop<Kind>(
  slice: SliceContext,
  said: SaidOfLaptop,
  devicePublicKey: KeyObject,
  keyKind: () => Kind,
): Promise<Kind> {
  await checkCsr(said.csr, devicePublicKey);
  const kind = keyKind();
  checkWireguardKey(slice, said);
  const flaw = fingerprintFlaw(said.fingerprint) ?? hostFlaw(said.host, said.fingerprint, slice.config.fingerprintSalt);
  if (flaw !== undefined) refuse('fingerprint-refused', flaw);
  return kind;
}

/**
 * Whether the message proves that the device key is in the TPM for which this session's challenge had a credential. A proof is one only
 * for that credential, so it alone says that the device key is in that TPM.
 */
export function provesTpm(session: KnownSession, sessionKey: KeyObject, said: SaidOfLaptop): boolean {
  const proof = tpmProofIn(said);
  if (proof === 'malformed') return refuse('request-malformed', 'its proof of a TPM');
  if (proof === undefined) return false;
  const expected = tpmProof(tpmSecret(sessionKey, session.id), session.challengeHash);
  if (!constantTimeEqual(Buffer.from(expected), Buffer.from(proof.proof))) {
    refuse('tpm-proof-refused', 'not made with the secret of the credential');
  }
  return true;
}

/** Without this, a laptop could have somebody else's key made a peer. */
function checkWireguardKey(slice: SliceContext, said: SaidOfLaptop): void {
  const { challengeHash, wireguardPublicKey } = said;
  const own = slice.identity.proof.privateKey;
  const expected = wireguardProof({ own, other: wireguardPublicKey, challengeHash, wireguardPublicKey });
  if (!constantTimeEqual(Buffer.from(expected), Buffer.from(said.wireguardProof))) {
    refuse('wireguard-key-refused', 'its holder did not make the proof');
  }
}
