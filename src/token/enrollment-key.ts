import { KiwiError } from '../core/errors.ts';
import { readAttestation, type YubikeyAttestation } from '../pki/attestation.ts';
import { parseCertificate, type Certificate } from '../pki/certificate.ts';
import { EKU, enrollmentNames } from '../pki/roles.ts';
import { algorithmFor, type SignatureAlgorithm } from '../pki/signer.ts';
import type { PivSlot } from './piv-slot.ts';
import type { YubikeyReading } from './wire/messages.ts';

/** A key on a YubiKey that the device itself vouches for. */
export interface SlotKey {
  /** From the attestation certificate; equal to the serial that the YubiKey reports. */
  readonly serial: number;
  readonly slot: PivSlot;
  /** DER */
  readonly attestation: Buffer;
  /** DER of the certificate of slot f9. */
  readonly attestationIssuer: Buffer;
  readonly pinPolicy: 'never' | 'once' | 'always';
  readonly touchPolicy: 'never' | 'always' | 'cached';
  readonly algorithm: SignatureAlgorithm;
  /** The reader it was found in: distinguishes an unplugged key from a replaced one. */
  readonly reader?: string;
}

/** A key that an operator gave to a person: its certificate names the customer. */
export interface EnrollmentKey extends SlotKey {
  readonly certificate: Certificate;
}

/**
 * The enrollment key on one YubiKey: of several, the one whose certificate expires last.
 *
 * @returns undefined when no slot has a KiwiStack enrollment certificate
 * @throws KiwiError `key-certificate-invalid` when it has one, but the device does not vouch for its key
 */
export function enrollmentKeyOn(reading: YubikeyReading): EnrollmentKey | undefined {
  const candidates = reading.slots.flatMap((slot) => {
    const certificate = enrollmentCertificate(slot.certificate);
    return certificate === undefined ? [] : [{ slot, certificate }];
  });
  candidates.sort((a, b) => b.certificate.notAfter.getTime() - a.certificate.notAfter.getTime());
  const [best] = candidates;
  if (best === undefined) return undefined;
  const key = slotKeyOf(reading, best.slot.slot);
  if (!best.certificate.spki.equals(parseCertificate(key.attestation).spki)) {
    throw invalid(key.slot, 'the certificate is for another key than the one in the slot');
  }
  return { ...key, certificate: best.certificate };
}

/**
 * The attested key in one slot. Proves nothing on its own: the slice verifies the attestation under the manufacturer's root.
 *
 * @throws KiwiError `key-certificate-invalid` when there is no attested key, or the attestation is of another YubiKey
 */
export function slotKeyOf(reading: YubikeyReading, slot: PivSlot): SlotKey {
  const attestation = reading.slots.find((entry) => entry.slot === slot)?.attestation;
  if (attestation === undefined) throw invalid(slot, 'no key that was generated in the YubiKey');
  if (reading.attestationIssuer === undefined) throw invalid(slot, 'no attestation certificate in slot f9');
  const der = Buffer.from(attestation, 'base64');
  let attested: YubikeyAttestation;
  try {
    attested = readAttestation(parseCertificate(der));
  } catch (error) {
    throw invalid(slot, error instanceof Error ? error.message : 'unreadable attestation', error);
  }
  if (attested.serial !== reading.serial) throw invalid(slot, 'the attestation names another serial number');
  if (attested.slot !== slot) throw invalid(slot, `the attestation is for slot ${attested.slot}`);
  const algorithm = algorithmFor(attested.publicKey);
  if (algorithm === undefined) throw invalid(slot, 'this type of key is not supported');
  return {
    serial: attested.serial,
    slot,
    attestation: der,
    attestationIssuer: Buffer.from(reading.attestationIssuer, 'base64'),
    pinPolicy: attested.pinPolicy,
    touchPolicy: attested.touchPolicy,
    algorithm,
    reader: reading.reader,
  };
}

/** Other certificates (a company's smart card log-in, a broken one) are not an error: they are skipped. */
function enrollmentCertificate(der: string | undefined): Certificate | undefined {
  if (der === undefined) return undefined;
  try {
    const certificate = parseCertificate(Buffer.from(der, 'base64'));
    const isEnrollment =
      certificate.extendedKeyUsages.includes(EKU.enrollmentKey) && enrollmentNames(certificate.sanUris) !== undefined;
    return isEnrollment ? certificate : undefined;
  } catch {
    return undefined;
  }
}

function invalid(slot: PivSlot, why: string, cause?: unknown): KiwiError {
  return new KiwiError('key-certificate-invalid', { detail: `slot ${slot}: ${why}`, cause });
}
