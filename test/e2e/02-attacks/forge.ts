import { createPrivateKey, generateKeyPairSync, randomBytes, type KeyObject } from 'node:crypto';
import { readFileSync } from 'node:fs';

import { parseCertificate, type Certificate } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate, YEAR, type IssueInput } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { EKU, enrollmentUri } from '../../../src/pki/roles.ts';
import { keySigner } from '../../../src/pki/signer.ts';
import { attestationCertificate } from '../../virtual-yubikey/attestation.ts';
import { authorityExtension, issuerParts, signCertificate } from '../../virtual-yubikey/key/certificate.ts';
import type { TestRoot } from '../../virtual-yubikey/key/make-root.ts';
import { commonName, extension, validity } from '../../virtual-yubikey/wire/der.ts';
import type { OpenedYubiKey } from '../../world/opened-yubikey.ts';
import { GATEWAY_URL } from '../../world/world.ts';

/** A CA in an attacker's hands. */
export interface Authority {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

export type Dates = Pick<IssueInput, 'notBefore' | 'notAfter'>;
export const dates = (from = -DAY, to = YEAR): Dates => ({
  notBefore: new Date(Date.now() + from),
  notAfter: new Date(Date.now() + to),
});

/** A certificate and key that lie in files. */
export function loadAuthority(certificateFile: string, keyFile: string): Authority {
  return {
    certificate: parseCertificate(readFileSync(certificateFile, 'utf8')),
    key: createPrivateKey(readFileSync(keyFile, 'utf8')),
  };
}

/** A CA with the names of another one, under `issuer` or self-signed. */
export async function lookAlike(of: Certificate, pathLength: number, issuer?: Authority): Promise<Authority> {
  return makeAuthority(of.subject, pathLength, issuer);
}

export async function makeAuthority(
  subject: Certificate['subject'],
  pathLength: number,
  issuer?: Authority,
): Promise<Authority> {
  const key = generateP256();
  const certificate = await issueCertificate({
    subject: { cn: 'none', ...subject },
    key,
    ...dates(),
    ca: { pathLength },
    ...(issuer === undefined ? {} : { issuer }),
  });
  return { certificate, key };
}

/** The certificate on a person's YubiKey, as step-ca would issue it, by whichever CA one likes. */
export function enrollmentCertificate(
  issuer: Authority,
  key: KeyObject,
  changes: { slug?: string; dates?: Dates; extendedKeyUsages?: readonly string[] } = {},
): Promise<Certificate> {
  return issueCertificate({
    subject: { cn: 'KiwiStack enrollment', o: 'Acme GmbH', ou: 'engineer' },
    key,
    issuer,
    ...(changes.dates ?? dates()),
    extendedKeyUsages: changes.extendedKeyUsages ?? [EKU.enrollmentKey],
    sanUris: [enrollmentUri(changes.slug ?? 'acme'), GATEWAY_URL],
  });
}

export interface AttestationClaim {
  readonly serial?: number;
  readonly slot?: string;
  /** 1 never, 2 once, 3 always */
  readonly pinPolicy?: number;
  /** 1 never, 2 always, 3 cached */
  readonly touchPolicy?: number;
  readonly publicKey?: KeyObject;
}

/** A YubiKey all of whose keys the attacker holds. */
export interface ForgedYubiKey extends OpenedYubiKey {
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
  attest(claim?: AttestationClaim): Buffer;
  /** The same key with another certificate in its slot. */
  withCertificate(certificate: Certificate): ForgedYubiKey;
}

/** A YubiKey under the given maker's root, with the certificate that `certify` gives to its key. */
export async function forgeYubiKey(
  maker: TestRoot,
  serial: number,
  certify: (key: KeyObject) => Promise<Certificate>,
  options: { readonly f9IsCa?: boolean; readonly truth?: AttestationClaim } = {},
): Promise<ForgedYubiKey> {
  const f9 = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const issuer = signCertificate(
    {
      serialNumber: Buffer.concat([Buffer.of(0x40), randomBytes(15)]),
      issuer: issuerParts(maker.certificate.raw).subject,
      validity: validity(new Date('2016-03-14T00:00:00Z'), new Date('2052-04-17T00:00:00Z')),
      subject: commonName('Yubico PIV Attestation'),
      publicKey: f9.publicKey,
      extensions: [
        ...(options.f9IsCa === false ? [] : [authorityExtension(0)]),
        extension('1.3.6.1.4.1.41482.3.3', Buffer.of(5, 4, 3)),
      ],
    },
    maker.privateKey,
  );
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const attest = (claim: AttestationClaim = {}): Buffer => {
    const said = { ...options.truth, ...claim };
    return attestationCertificate({
      device: { serial: said.serial ?? serial, firmware: '5.4.3', formFactor: 1, fips: false },
      slot: said.slot ?? '9c',
      pinPolicy: said.pinPolicy ?? 3,
      touchPolicy: said.touchPolicy ?? 2,
      publicKey: said.publicKey ?? publicKey,
      issuer,
      signer: f9.privateKey,
    });
  };
  const withCertificate = (certificate: Certificate): ForgedYubiKey => ({
    serial,
    slot: '9c',
    certificate,
    attestationIssuer: issuer,
    signer: keySigner(privateKey),
    privateKey,
    publicKey,
    attest,
    withCertificate,
  });
  return withCertificate(await certify(privateKey));
}
