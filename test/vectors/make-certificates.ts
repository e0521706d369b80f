import { parseCertificate, type Certificate } from '../../src/pki/certificate.ts';
import { DAY, issueCertificate, YEAR, type IssueInput } from '../../src/pki/issue.ts';
import { spkiDer } from '../../src/pki/keys.ts';
import { deviceUri, EKU, enrollmentUri, operatorSubject, operatorUri } from '../../src/pki/roles.ts';
import { textAt } from './keep.ts';
import { testKey, type KeyName } from './test-keys.ts';

/** The moment of the example. */
export const NOW = new Date('2026-03-01T12:00:00.000Z');
/** When the laptop of the example renews its certificate. */
export const RENEWED_AT = new Date(NOW.getTime() + 13 * 3_600_000);
/** RFC 3339, this long after the renewal. */
export const afterRenewal = (minutes: number): string =>
  new Date(RENEWED_AT.getTime() + minutes * 60_000).toISOString();
export const SLUG = 'acme';
export const DEVICE_ID = '5f3a8e0c-91d4-4a7b-8f0e-2c6b7d1e9a04';
/** A device that the example does not have. */
export const OTHER_ID = 'a3d5f0b2-7c1e-4f6a-9b8d-0e2c4a6f8b13';
export const YUBIKEY_SERIAL = 12_345_678;

export type Certificates = Readonly<Record<(typeof ORDER)[number]['name'], Certificate>>;

const long = { notBefore: new Date(NOW.getTime() - DAY), notAfter: new Date(NOW.getTime() + 20 * YEAR) };
const person = { o: 'Acme GmbH', ou: 'engineer' };
const CRL = 'http://10.77.0.1:9080/crl';
const yubico = (last: number, hex: string) => ({ oid: `1.3.6.1.4.1.41482.3.${last}`, value: Buffer.from(hex, 'hex') });

type Recipe = Omit<IssueInput, 'key' | 'issuer'> & { readonly key: KeyName; readonly issuer?: string };

const ORDER = [
  {
    name: 'mspRoot',
    subject: { cn: 'KiwiStack MSP root', o: 'KiwiStack' },
    key: 'msp-root',
    ca: { pathLength: 1 },
    ...long,
  },
  {
    name: 'intermediate',
    subject: { cn: 'KiwiStack acme intermediate', o: 'Acme GmbH' },
    key: 'intermediate',
    issuer: 'mspRoot',
    ca: { pathLength: 0 },
    ...long,
  },
  {
    name: 'gateway',
    subject: { cn: 'KiwiStack acme gateway', o: 'Acme GmbH' },
    key: 'gateway',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.gateway],
    sanUris: [enrollmentUri(SLUG)],
    crlUrl: CRL,
    ...long,
  },
  {
    name: 'enrollmentKey',
    subject: { cn: `KiwiStack enrollment ${YUBIKEY_SERIAL}`, ...person },
    key: 'yubikey',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.enrollmentKey],
    sanUris: [enrollmentUri(SLUG), 'https://enroll.acme.example'],
    crlUrl: CRL,
    ...long,
  },
  {
    name: 'device',
    subject: { cn: 'anna-laptop', ...person },
    key: 'device',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.clientAuth],
    sanDns: ['anna-laptop'],
    sanUris: [deviceUri(SLUG, DEVICE_ID)],
    crlUrl: CRL,
    notBefore: new Date(NOW.getTime() - 60_000),
    notAfter: new Date(NOW.getTime() + DAY),
  },
  {
    name: 'yubicoRoot',
    subject: { cn: 'Test root that stands in for Yubico’s' },
    key: 'yubico-root',
    ca: { pathLength: 1 },
    ...long,
  },
  {
    name: 'attestationIssuer',
    subject: { cn: 'Yubico PIV Attestation' },
    key: 'yubikey-f9',
    issuer: 'yubicoRoot',
    ca: { pathLength: 0 },
    ...long,
  },
  {
    name: 'attestation',
    subject: { cn: 'YubiKey PIV Attestation 9c' },
    key: 'yubikey',
    issuer: 'attestationIssuer',
    extensions: [yubico(3, '050403'), yubico(7, '020400bc614e'), yubico(8, '0202'), yubico(9, '01')],
    ...long,
  },
  // For what has to be refused. The second intermediate has name and key of the first, under a root that nobody pinned.
  {
    name: 'otherRoot',
    subject: { cn: 'Another root', o: 'KiwiStack' },
    key: 'other-root',
    ca: { pathLength: 1 },
    ...long,
  },
  {
    name: 'otherIntermediate',
    subject: { cn: 'KiwiStack acme intermediate', o: 'Acme GmbH' },
    key: 'intermediate',
    issuer: 'otherRoot',
    ca: { pathLength: 0 },
    ...long,
  },
  {
    name: 'otherEnrollmentKey',
    subject: { cn: `KiwiStack enrollment ${YUBIKEY_SERIAL}`, ...person },
    key: 'yubikey',
    issuer: 'otherRoot',
    extendedKeyUsages: [EKU.enrollmentKey],
    sanUris: [enrollmentUri(SLUG), 'https://enroll.acme.example'],
    ...long,
  },
  {
    name: 'expiredEnrollmentKey',
    subject: { cn: `KiwiStack enrollment ${YUBIKEY_SERIAL}`, ...person },
    key: 'yubikey',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.enrollmentKey],
    sanUris: [enrollmentUri(SLUG), 'https://enroll.acme.example'],
    notBefore: new Date(NOW.getTime() - 2 * DAY),
    notAfter: new Date(NOW.getTime() - 60_000),
  },
  // The customer's next intermediate, for which the root vouches, and another customer's.
  {
    name: 'nextIntermediate',
    subject: { cn: 'KiwiStack acme intermediate', o: 'Acme GmbH' },
    key: 'next-intermediate',
    issuer: 'mspRoot',
    ca: { pathLength: 0 },
    ...long,
    notBefore: NOW,
  },
  {
    name: 'nextGateway',
    subject: { cn: 'KiwiStack acme gateway', o: 'Acme GmbH' },
    key: 'gateway',
    issuer: 'nextIntermediate',
    extendedKeyUsages: [EKU.gateway],
    sanUris: [enrollmentUri(SLUG)],
    crlUrl: CRL,
    ...long,
    notBefore: NOW,
  },
  {
    name: 'betaIntermediate',
    subject: { cn: 'KiwiStack beta intermediate', o: 'Beta School' },
    key: 'next-intermediate',
    issuer: 'mspRoot',
    ca: { pathLength: 0 },
    ...long,
  },
  {
    name: 'betaGateway',
    subject: { cn: 'KiwiStack beta gateway', o: 'Beta School' },
    key: 'gateway',
    issuer: 'betaIntermediate',
    extendedKeyUsages: [EKU.gateway],
    sanUris: [enrollmentUri('beta')],
    crlUrl: CRL,
    ...long,
  },
  {
    name: 'renewedDevice',
    subject: { cn: 'anna-laptop', ...person },
    key: 'device',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.clientAuth],
    sanDns: ['anna-laptop'],
    sanUris: [deviceUri(SLUG, DEVICE_ID)],
    crlUrl: CRL,
    notBefore: new Date(RENEWED_AT.getTime() - 60_000),
    notAfter: new Date(RENEWED_AT.getTime() + DAY),
  },
  {
    name: 'operator',
    subject: { cn: operatorSubject('anna'), o: 'Acme GmbH', ou: 'admin' },
    key: 'operator',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.operatorKey],
    sanUris: [operatorUri(SLUG)],
    crlUrl: CRL,
    ...long,
  },
  {
    name: 'secondOperator',
    subject: { cn: operatorSubject('bob'), o: 'Acme GmbH', ou: 'admin' },
    key: 'second-operator',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.operatorKey],
    sanUris: [operatorUri(SLUG)],
    crlUrl: CRL,
    ...long,
  },
  // Anna again, with what the slice's registry does not say; and an operator of another customer.
  {
    name: 'lowerOperator',
    subject: { cn: operatorSubject('anna'), o: 'Acme GmbH', ou: 'read' },
    key: 'operator',
    issuer: 'intermediate',
    extendedKeyUsages: [EKU.operatorKey],
    sanUris: [operatorUri(SLUG)],
    ...long,
  },
  {
    name: 'betaOperator',
    subject: { cn: operatorSubject('anna'), o: 'Beta School', ou: 'admin' },
    key: 'operator',
    issuer: 'betaIntermediate',
    extendedKeyUsages: [EKU.operatorKey],
    sanUris: [operatorUri('beta')],
    ...long,
  },
  { name: 'fleetCa', subject: { cn: 'Acme Fleet CA' }, key: 'fleet-ca', ca: { pathLength: 0 }, ...long },
] as const satisfies readonly (Recipe & { readonly name: string })[];

/** The certificates of the example. One that is there for the same key, names and dates is kept: serials and signatures are random. */
export async function makeCertificates(previous: unknown): Promise<{ certificates: Certificates; file: object }> {
  const made: Record<string, Certificate> = {};
  const keys: Record<string, KeyName> = {};
  for (const recipe of ORDER as readonly (Recipe & { readonly name: string })[]) {
    const { name, key, issuer, ...rest } = recipe;
    keys[name] = key;
    const signer = issuer === undefined ? undefined : made[issuer];
    const signerKey = issuer === undefined ? undefined : keys[issuer];
    const fresh = await issueCertificate({
      ...rest,
      key: testKey(key),
      ...(signer === undefined || signerKey === undefined
        ? {}
        : { issuer: { certificate: signer, key: testKey(signerKey) } }),
    });
    made[name] = kept(textAt(previous, 'certificates', name, 'der'), fresh, signer) ?? fresh;
  }
  const file = {
    notice: 'Of the published test keys in keys.json. `der` is base64url.',
    certificates: Object.fromEntries(
      Object.entries(made).map(([name, { der, pem }]) => [
        name,
        { key: keys[name], der: der.toString('base64url'), pem },
      ]),
    ),
  };
  return { certificates: made as Certificates, file };
}

/** The certificate from the file when it says what the fresh one says; all but serial number and signature. */
function kept(der: string, fresh: Certificate, issuer: Certificate | undefined): Certificate | undefined {
  if (der === '') return undefined;
  const old = parseCertificate(Buffer.from(der, 'base64url'));
  return old.isSignedBy(issuer ?? old) && facts(old) === facts(fresh) ? old : undefined;
}

function facts(certificate: Certificate): string {
  const { subjectDer, issuerDer, notBefore, notAfter, publicKey, isCa, pathLength, keyUsage } = certificate;
  const { extendedKeyUsages, sanDns, sanUris, criticalOids } = certificate;
  const yubicoOnes = [3, 7, 8, 9].map((last) => certificate.extension(`1.3.6.1.4.1.41482.3.${last}`)?.toString('hex'));
  const names = [subjectDer, issuerDer, spkiDer(publicKey)].map((bytes) => bytes.toString('hex'));
  return JSON.stringify([
    ...names,
    [notBefore, notAfter, isCa, pathLength, keyUsage],
    [extendedKeyUsages, sanDns, sanUris, criticalOids, yubicoOnes],
  ]);
}
