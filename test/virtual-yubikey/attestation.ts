import { randomBytes, type KeyObject } from 'node:crypto';
import { issuerParts, signCertificate } from './key/certificate.ts';
import { firmwareBytes, type KeyState } from './key/state.ts';
import { commonName, extension, integer, NULL } from './wire/der.ts';

const YUBICO_PIV = '1.3.6.1.4.1.41482.3';
const FIPS_BIT = 0x80;

/** What an attestation certificate says, and who signs it. */
export interface AttestationFields {
  readonly device: Pick<KeyState, 'serial' | 'firmware' | 'formFactor' | 'fips'>;
  readonly slot: string;
  readonly pinPolicy: number;
  readonly touchPolicy: number;
  readonly publicKey: KeyObject;
  /** Certificate of slot f9, DER: its subject becomes the issuer and its dates are copied, as a YubiKey has no clock. */
  readonly issuer: Buffer;
  readonly signer: KeyObject;
}

/** Builds the certificate a YubiKey answers to INS F9. */
export function attestationCertificate(fields: AttestationFields): Buffer {
  const { subject, validity } = issuerParts(fields.issuer);
  return signCertificate(
    {
      serialNumber: randomBytes(16),
      issuer: subject,
      validity,
      subject: commonName(`YubiKey PIV Attestation ${fields.slot}`),
      publicKey: fields.publicKey,
      extensions: attestationExtensions(fields),
    },
    fields.signer,
  );
}

/** The Yubico extensions. Only the serial is DER inside; the others are bare bytes. */
export function attestationExtensions(
  fields: Pick<AttestationFields, 'device' | 'pinPolicy' | 'touchPolicy'>,
): Buffer[] {
  const { device } = fields;
  const serial = Buffer.alloc(4);
  serial.writeUInt32BE(device.serial);
  return [
    extension(`${YUBICO_PIV}.3`, firmwareBytes(device)),
    extension(`${YUBICO_PIV}.7`, integer(serial)),
    extension(`${YUBICO_PIV}.8`, Buffer.of(fields.pinPolicy, fields.touchPolicy)),
    extension(`${YUBICO_PIV}.9`, Buffer.of(device.formFactor | (device.fips ? FIPS_BIT : 0))),
    ...(device.fips ? [extension(`${YUBICO_PIV}.10`, NULL)] : []),
  ];
}
