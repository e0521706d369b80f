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
});
