import { createPrivateKey, generateKeyPairSync, randomBytes, X509Certificate, type KeyObject } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { commonName, validity } from '../wire/der.ts';
import { replaceFile } from './atomic-file.ts';
import { authorityExtension, issuerParts, signCertificate } from './certificate.ts';
import { firmwareAtLeast, type KeyState } from './state.ts';

/** The authority under which the keys of one test world are made. */
export interface TestRoot {
  readonly certificate: X509Certificate;
  readonly privateKey: KeyObject;
}

interface Authority {
  readonly name: string;
  readonly issuer: string | undefined;
  /** How many CA certificates may stand below it. */
  readonly pathLength: number;
}

const ROOT = 'root';
const PIV_ATTESTATION = 'piv-attestation-b1';

/**
 * Yubico's authorities by the names of their files, each after its issuer. Up to firmware 5.7.3 the root signs f9's certificate itself;
 * from 5.7.4 on another root does so through two intermediates.
 */
const authorities = new Map<string, Authority>([
  [ROOT, { name: 'Virtual YubiKey Test PIV Root CA (not Yubico)', issuer: undefined, pathLength: 1 }],
  [
    'attestation-root-1',
    { name: 'Virtual YubiKey Test Attestation Root 1 (not Yubico)', issuer: undefined, pathLength: 3 },
  ],
  [
    'attestation-intermediate-b1',
    { name: 'Virtual YubiKey Test Attestation Intermediate B 1', issuer: 'attestation-root-1', pathLength: 2 },
  ],
  [
    PIV_ATTESTATION,
    { name: 'Virtual YubiKey Test PIV Attestation B 1', issuer: 'attestation-intermediate-b1', pathLength: 1 },
  ],
]);

/**
 * Makes the authorities in the directory, the stand-in of Yubico's: for each a `.crt` and a `.key`, and `roots.pem` with all their
 * certificates, as a verifier pins them. What is there already stays.
 */
export function makeRoot(directory: string): TestRoot {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  for (const [file, authority] of authorities) {
    const { certificate, key } = paths(directory, file);
    if (!existsSync(certificate) || !existsSync(key)) makeAuthority(directory, file, authority);
  }
  const certificates = [...authorities.keys()].map((file) => load(directory, file).certificate.toString());
  replaceFile(join(directory, 'roots.pem'), certificates.join(''), 0o644);
  return loadRoot(directory);
}

/** Reads a root that `makeRoot` wrote: the one that signs f9's certificate up to firmware 5.7.3. */
export function loadRoot(directory: string): TestRoot {
  return load(directory, ROOT);
}

/** The authority that signs f9's certificate of a key with this firmware. */
export function loadAttestationIssuer(directory: string, state: Pick<KeyState, 'firmware'>): TestRoot {
  return load(directory, firmwareAtLeast(state, [5, 7, 4]) ? PIV_ATTESTATION : ROOT);
}

function makeAuthority(directory: string, file: string, { name, issuer, pathLength }: Authority): void {
  const { publicKey, privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const by = issuer === undefined ? undefined : load(directory, issuer);
  const der = signCertificate(
    {
      serialNumber: Buffer.concat([Buffer.of(0x40), randomBytes(15)]),
      issuer: by ? issuerParts(by.certificate.raw).subject : commonName(name),
      validity: validity(new Date('2016-03-14T00:00:00Z'), new Date('2052-04-17T00:00:00Z')),
      subject: commonName(name),
      publicKey,
      extensions: [authorityExtension(pathLength)],
    },
    by?.privateKey ?? privateKey,
  );
  const { certificate, key } = paths(directory, file);
  // The key first: a crash in between leaves no certificate, and the next run starts over.
  replaceFile(key, privateKey.export({ type: 'pkcs8', format: 'pem' }).toString());
  replaceFile(certificate, new X509Certificate(der).toString(), 0o644);
}

function load(directory: string, file: string): TestRoot {
  const { certificate, key } = paths(directory, file);
  return {
    certificate: new X509Certificate(readFileSync(certificate)),
    privateKey: createPrivateKey(readFileSync(key)),
  };
}

function paths(directory: string, file: string): { certificate: string; key: string } {
  return { certificate: join(directory, `${file}.crt`), key: join(directory, `${file}.key`) };
}
