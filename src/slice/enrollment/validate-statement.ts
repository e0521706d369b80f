import type { KeyObject } from 'node:crypto';

import { base64url } from '../../core/bytes.ts';
import { AttestationError, verifyAttestation, type YubikeyAttestation } from '../../pki/attestation.ts';
import { CertificateError, parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { openGeneral, type OpenedGeneral, type OpenedSignature } from '../../pki/jws.ts';
import { EKU, enrollmentNames } from '../../pki/roles.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { parseMessage } from '../../protocol/parse.ts';
import { statement as statementSchema, type Statement } from '../../protocol/statement.ts';
import { firmwareFlaw } from '../decisions/firmware-flaw.ts';
import type { Device, IssuedCertificate, KnownSession } from '../registry/registry.ts';
import type { SliceContext } from '../slice-context.ts';
import {
  checkDeviceSignature,
  checkLaptop,
  checkMeant,
  openTo,
  provesTpm,
  refuse,
  sessionKeyOf,
  type Admit,
} from './check-laptop.ts';
import type { Entrance } from './grant-device.ts';

/**
 * Every check of a statement that needs no other device, in the order of protocol.md: chain of the key's certificate →
 * both signatures → session → revocation → attestation for the same key → slot → serial → registry → policy and
 * firmware → CSR → TPM → WireGuard key → form of the fingerprint. What
 * depends on other devices is decided in the registry's transaction.
 *
 * @param claims receives the YubiKey's serial as soon as the statement names one
 * @throws KiwiError with the code of the first check that fails
 */
export const validateStatement: Admit = async (slice, session, body, claims) => {
  const sessionKey = sessionKeyOf(session);
  const opened = await openTo(sessionKey, body, TYP.statementEncrypted, (plain) =>
    openGeneral(plain, TYP.statement, LIMITS.statement),
  );
  const { payload, byYubikey, byDevice } = twoSignatures(opened);
  const statement = parseMessage(statementSchema, payload, LIMITS.statement, 'request-malformed');
  // Only a claim until the attestation is verified, but the audit of a refusal should name it.
  claims.yubikeySerial = statement.yubikey.serial;
  const certificate = checkKeyChain(slice, byYubikey);
  if (!(await byYubikey.verifyAside(certificate.publicKey))) refuse('key-signature-refused', 'signature');
  const { deviceKey, devicePublicKey } = await checkDeviceSignature(session, byDevice);
  checkMeant(slice, session, statement);

  const issued = await checkNotRevoked(slice, certificate);
  const attestation = checkAttestation(slice, statement, certificate);
  const role = await checkRegistered(slice, attestation, issued);
  const { policy } = slice.config;
  if (!policy.pinPolicies.includes(attestation.pinPolicy)) refuse('policy-refused', `PIN ${attestation.pinPolicy}`);
  if (!policy.touchPolicies.includes(attestation.touchPolicy)) {
    refuse('policy-refused', `touch ${attestation.touchPolicy}`);
  }
  const { minimum, older } = slice.config.firmware;
  const warning = firmwareFlaw(attestation.firmware, minimum);
  if (warning !== undefined && older === 'refuse') refuse('policy-refused', warning);
  const keyKind = await checkLaptop(slice, statement, devicePublicKey, () =>
    checkKeyKind(slice, session, sessionKey, statement),
  );
  return { statement, deviceKey, keyKind, role, warning, yubikeySerial: attestation.serial, tokenId: null };
};

/** The YubiKey's signature first, the device key's second: without both, one key has not consented to the other. */
function twoSignatures({ payload, signatures }: OpenedGeneral) {
  const [byYubikey, byDevice, ...more] = signatures;
  if (byYubikey === undefined || byDevice === undefined || more.length > 0) {
    return refuse('request-malformed', 'not two signatures');
  }
  return { payload, byYubikey, byDevice };
}

/**
 * The key's certificate must be issued by this customer's intermediate for an enrollment key, and valid now. Issuers in
 * `x5c` are ignored. Checked before the key's signature, which a stranger's key could make expensive to verify.
 */
function checkKeyChain(slice: SliceContext, { header, x5c }: OpenedSignature): Certificate {
  const [certificate] = x5c;
  if (certificate === undefined || header.jwk !== undefined || header.kid !== undefined) {
    return refuse('key-signature-refused', 'no certificate of the key');
  }
  const { intermediate, mspRoot } = slice.identity;
  try {
    verifyChain({ leaf: certificate, intermediate, roots: [mspRoot], at: new Date(slice.clock.now()) });
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    const late = error.which === 'leaf' && (error.reason === 'expired' || error.reason === 'not-yet-valid');
    refuse(late ? 'key-certificate-expired' : 'key-chain-refused', error.message, error);
  }
  if (certificate.extendedKeyUsages.join() !== EKU.enrollmentKey) refuse('key-chain-refused', 'role');
  if (enrollmentNames(certificate.sanUris)?.slug !== slice.config.customer.slug) refuse('key-chain-refused', 'slug');
  return certificate;
}

/** @returns what the registry knows about the certificate */
async function checkNotRevoked(slice: SliceContext, certificate: Certificate): Promise<IssuedCertificate | undefined> {
  const issued = await slice.registry.findCertificate(certificate.serialHex);
  const revokedFor = issued?.revokeWhy ?? undefined;
  // The certificate of a burned key is revoked as well; the more specific code is reported.
  if (revokedFor === 'burned') refuse('yubikey-burned', 'its certificate is revoked');
  if (revokedFor !== undefined) refuse('key-certificate-revoked', revokedFor);
  return issued;
}

function checkAttestation(slice: SliceContext, statement: Statement, certificate: Certificate): YubikeyAttestation {
  const { yubikey } = statement;
  let attestation: YubikeyAttestation;
  try {
    attestation = verifyAttestation({
      attestation: parseCertificate(Buffer.from(yubikey.attestation, 'base64url')),
      issuer: parseCertificate(Buffer.from(yubikey.attestationIssuer, 'base64url')),
      roots: slice.identity.yubicoRoots,
    });
  } catch (error) {
    if (!(error instanceof AttestationError || error instanceof CertificateError)) throw error;
    return refuse('attestation-refused', error.message, error);
  }
  if (!attestation.spki.equals(certificate.spki)) refuse('attestation-refused', 'for another key');
  if (attestation.slot !== yubikey.slot) refuse('attestation-slot-refused', `slot ${attestation.slot}`);
  if (attestation.serial !== yubikey.serial) refuse('attestation-serial-refused', `serial ${attestation.serial}`);
  return attestation;
}

async function checkRegistered(
  slice: SliceContext,
  attestation: YubikeyAttestation,
  issued: IssuedCertificate | undefined,
): Promise<string> {
  const registered = await slice.registry.findYubikey(attestation.serial);
  if (registered === undefined) return refuse('yubikey-unregistered', `serial ${attestation.serial}`);
  if (registered.burnedAt !== null) refuse('yubikey-burned', registered.burnedWhy ?? 'burned');
  if (registered.slot !== attestation.slot) refuse('attestation-slot-refused', `registered is ${registered.slot}`);
  if (registered.spki !== base64url(attestation.spki)) refuse('yubikey-unregistered', 'another key of this YubiKey');
  // Every enrollment certificate is registered before it is handed out; an unregistered one was issued with a stolen
  // provisioner key.
  if (issued === undefined) refuse('yubikey-unregistered', 'a certificate that was never registered');
  return registered.role;
}

/** A session has a credential only if its hello named a key of a TPM whose maker the customer trusts: `credentialFor`. */
function checkKeyKind(
  slice: SliceContext,
  session: KnownSession,
  sessionKey: KeyObject,
  statement: Statement,
): Device['keyKind'] {
  const { tpm: want } = slice.config.deviceKey;
  if (want !== 'off' && provesTpm(session, sessionKey, statement)) return 'tpm';
  if (want === 'require') refuse('tpm-key-required', 'no proof of a key in a TPM');
  return 'unproven';
}

/** A laptop for which a YubiKey vouches. */
export const BY_YUBIKEY: Entrance = { isOf: ({ tokenId }) => tokenId === null, admit: validateStatement };
