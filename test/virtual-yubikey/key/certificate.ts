import { sign, type KeyObject } from 'node:crypto';
import { bitString, extension, integer, NULL, oid, sequence, TRUE } from '../wire/der.ts';
import { encodeTlv, parseTlvs, TlvError, unwrapTlv } from '../wire/tlv.ts';

/** What goes into a certificate; names and validity as DER, so that they can be copied from another certificate. */
export interface CertificateFields {
  readonly serialNumber: Buffer;
  readonly issuer: Buffer;
  readonly validity: Buffer;
  readonly subject: Buffer;
  readonly publicKey: KeyObject;
  readonly extensions: readonly Buffer[];
}

/** Builds and signs an X.509 v3 certificate, with SHA-256 for every key (docs.yubico.com, "PIV attestation OID arc"). */
export function signCertificate(fields: CertificateFields, signer: KeyObject): Buffer {
  const algorithm = signatureAlgorithm(signer);
  const toBeSigned = sequence(
    encodeTlv(0xa0, integer(Buffer.of(2))),
    integer(fields.serialNumber),
    algorithm,
    fields.issuer,
    fields.validity,
    fields.subject,
    fields.publicKey.export({ type: 'spki', format: 'der' }),
    encodeTlv(0xa3, sequence(...fields.extensions)),
  );
  return sequence(toBeSigned, algorithm, bitString(sign('sha256', toBeSigned, signer)));
}

/** Subject and validity of a certificate, still encoded, to be copied into what it issues. */
export function issuerParts(certificate: Buffer): { subject: Buffer; validity: Buffer } {
  const [toBeSigned] = parseTlvs(unwrapTlv(certificate, 0x30));
  const fields = toBeSigned ? parseTlvs(toBeSigned.value) : [];
  const [, , , , dates, subject] = fields;
  if (!dates || !subject) throw new TlvError('not an X.509 v3 certificate');
  return { subject: subject.raw, validity: dates.raw };
}

/** basicConstraints of a certificate authority. */
export function authorityExtension(pathLength?: number): Buffer {
  const limit = pathLength === undefined ? [] : [integer(Buffer.of(pathLength))];
  return extension('2.5.29.19', sequence(TRUE, ...limit), true);
}

function signatureAlgorithm(signer: KeyObject): Buffer {
  return signer.asymmetricKeyType === 'rsa'
    ? sequence(oid('1.2.840.113549.1.1.11'), NULL)
    : sequence(oid('1.2.840.10045.4.3.2'));
}
