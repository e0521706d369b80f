import { createHash } from 'node:crypto';

import { expect, test } from 'vitest';

import { parsePemBundle } from '../../../../src/pki/certificate.ts';
import { YUBICO_FINGERPRINTS, YUBICO_ROOTS } from '../../../../src/slice/init/yubico-roots.ts';

test("Yubico's certificates are those that Yubico published, and each is issued by one of them", () => {
  const certificates = parsePemBundle(YUBICO_ROOTS);
  const found = certificates.map((certificate) => [
    certificate.subject.cn,
    createHash('sha256').update(certificate.der).digest('hex'),
  ]);
  expect(Object.fromEntries(found)).toEqual(YUBICO_FINGERPRINTS);
  for (const certificate of certificates) {
    expect(certificate.isCa).toBe(true);
    expect(certificates.some((issuer) => certificate.isSignedBy(issuer))).toBe(true);
  }
  // What verifyAttestation requires of them: each allows as many certificates below it as Yubico's chains have,
  // including f9.
  const allowed = certificates.map(({ subject, pathLength }) => [subject.cn, pathLength] as const);
  expect(new Map(allowed)).toEqual(
    new Map(
      Object.entries({
        'Yubico PIV Root CA Serial 263751': 1,
        'Yubico Attestation Root 1': 3,
        'Yubico Attestation Intermediate A 1': 2,
        'Yubico Attestation Intermediate B 1': 2,
        'Yubico PIV Attestation A 1': 1,
        'Yubico PIV Attestation B 1': 1,
      }),
    ),
  );
});
