import type { KeyObject } from 'node:crypto';

import forge from 'node-forge';

import { KEY_USAGE } from './certificate-fields.ts';
import type { Certificate } from './certificate.ts';

/** Yubico's extensions in a PIV attestation certificate (developers.yubico.com, "PIV attestation"). */
const OID = {
  firmware: '1.3.6.1.4.1.41482.3.3',
  serial: '1.3.6.1.4.1.41482.3.7',
  policy: '1.3.6.1.4.1.41482.3.8',
  formFactor: '1.3.6.1.4.1.41482.3.9',
} as const;

const PIN = { 1: 'never', 2: 'once', 3: 'always' } as const;
const TOUCH = { 1: 'never', 2: 'always', 3: 'cached' } as const;

export type PinPolicy = (typeof PIN)[keyof typeof PIN];
export type TouchPolicy = (typeof TOUCH)[keyof typeof TOUCH];

/** What the attestation of a YubiKey proves. */
export interface YubikeyAttestation {
  readonly serial: number;
  /** "5.4.3" */
  readonly firmware: string;
  readonly pinPolicy: PinPolicy;
  readonly touchPolicy: TouchPolicy;
  readonly formFactor: number;
  readonly fips: boolean;
  /** "9c" */
  readonly slot: string;
  readonly publicKey: KeyObject;
  /** SubjectPublicKeyInfo of the attested key, DER. */
  readonly spki: Buffer;
}

export class AttestationError extends Error {
  override readonly name = 'AttestationError';
}

/**
 * Reads the extensions of an attestation certificate, without verifying anything: see `verifyAttestation`.
 * @throws AttestationError when one is missing or malformed
 */
export function readAttestation(certificate: Certificate): YubikeyAttestation {
  const firmware = raw(certificate, OID.firmware, 3);
  const [pin, touch] = raw(certificate, OID.policy, 2);
  const [form = 0] = raw(certificate, OID.formFactor, 1);
  const pinPolicy = PIN[pin as keyof typeof PIN] as PinPolicy | undefined;
  const touchPolicy = TOUCH[touch as keyof typeof TOUCH] as TouchPolicy | undefined;
  if (pinPolicy === undefined || touchPolicy === undefined) throw new AttestationError('unknown policy');
  const slot = /^YubiKey PIV Attestation ([0-9a-f]{2})$/.exec(certificate.subject.cn ?? '')?.[1];
  if (slot === undefined) throw new AttestationError('the subject names no slot');
  return {
    serial: serialOf(certificate),
    firmware: [...firmware].join('.'),
    pinPolicy,
    touchPolicy,
    formFactor: form & 0x7f,
    fips: (form & 0x80) !== 0,
    slot,
    publicKey: certificate.publicKey,
    spki: certificate.spki,
  };
}

/**
 * Verifies that a key was generated in a genuine YubiKey: attestation ← the YubiKey's own f9 certificate ← one of the
 * manufacturer's pinned roots (directly, or through intermediates that are in `roots` as well: firmware 5.7.4 and later
 * has them). A YubiKey returns only the f9 certificate; everything above it is pinned, so an intermediate supplied by
 * somebody else is never used.
 *
 * Dates are not checked: a YubiKey has no clock and copies f9's dates, and Yubico's own verifier does not check them
 * either.
 *
 * @param roots the manufacturer's pinned CA certificates; a self-signed one ends a chain
 * @throws AttestationError
 */
export function verifyAttestation(input: {
  attestation: Certificate;
  issuer: Certificate;
  roots: readonly Certificate[];
}): YubikeyAttestation {
  const { attestation, issuer, roots } = input;
  if (!attestation.issuerDer.equals(issuer.subjectDer) || !attestation.isSignedBy(issuer)) {
    throw new AttestationError('not signed by the attestation key of a YubiKey');
  }
  // The f9 certificate of a real YubiKey is a CA certificate. Without this check, any certificate under the
  // manufacturer's root could take its place.
  if (!issuer.isCa) throw new AttestationError('the attestation key has no CA certificate');
  checkAuthority(issuer, 0);
  let at = issuer;
  for (let below = 1; below <= LONGEST_CHAIN; below++) {
    const parent = roots.find((root) => root.isCa && root.subjectDer.equals(at.issuerDer) && at.isSignedBy(root));
    if (parent === undefined) throw new AttestationError('not under a pinned root of the maker');
    checkAuthority(parent, below);
    if (parent.subjectDer.equals(parent.issuerDer)) return readAttestation(attestation);
    at = parent;
  }
  throw new AttestationError('chain too long');
}

/**
 * From firmware 5.7.4 on, Yubico has three above f9: Attestation Root 1, Attestation Intermediate B 1, PIV Attestation
 * B 1. One more is allowed in reserve.
 */
const LONGEST_CHAIN = 4;

/**
 * What RFC 5280, section 6.1.4 (l to n), requires of a CA certificate. Yubico's f9 certificates have no key usage; if
 * there is one, it must allow signing certificates.
 *
 * @param below how many CA certificates are between this one and the attestation
 */
function checkAuthority(certificate: Certificate, below: number): void {
  const { pathLength, keyUsage } = certificate;
  if (pathLength !== undefined && pathLength < below) throw new AttestationError('longer than its issuers allow');
  if (keyUsage !== undefined && (keyUsage & KEY_USAGE.keyCertSign) === 0) {
    throw new AttestationError('by a key that may not sign certificates');
  }
}

function raw(certificate: Certificate, oid: string, length: number): Buffer {
  const value = certificate.extension(oid);
  if (value?.length !== length) throw new AttestationError(`extension ${oid} is missing or of another form`);
  return value;
}

/** The serial is a DER INTEGER, unlike the other extensions, whose content is raw bytes. */
function serialOf(certificate: Certificate): number {
  const value = certificate.extension(OID.serial);
  if (value === undefined) throw new AttestationError('no serial');
  try {
    const integer = forge.asn1.fromDer(value.toString('binary'), true);
    if (integer.type !== forge.asn1.Type.INTEGER || typeof integer.value !== 'string' || integer.value.length > 5) {
      throw new AttestationError('serial of another form');
    }
    const serial = Buffer.from(integer.value, 'binary').readIntBE(0, integer.value.length);
    if (serial < 1 || serial > 0xffffffff) throw new AttestationError('serial out of range');
    return serial;
  } catch (error) {
    if (error instanceof AttestationError) throw error;
    throw new AttestationError('serial of another form', { cause: error });
  }
}
