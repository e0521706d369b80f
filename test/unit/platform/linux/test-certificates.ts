import type { KeyObject } from 'node:crypto';

import type { DeviceCertificate } from '../../../../src/laptop/system/certificate-store.ts';
import type { Certificate } from '../../../../src/pki/certificate.ts';
import { DAY, issueCertificate } from '../../../../src/pki/issue.ts';
import { generateP256 } from '../../../../src/pki/keys.ts';
import { deviceUri, EKU } from '../../../../src/pki/roles.ts';

export const DEVICE_ID = '6f2b0f9c-7a51-4d0e-8a55-0c7f7a1d2e3b';

interface Authority {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

const span = (): { notBefore: Date; notAfter: Date } => ({
  notBefore: new Date(Date.now() - DAY),
  notAfter: new Date(Date.now() + DAY),
});

/** A self-signed root of our own. */
export async function makeTestRoot(cn: string): Promise<Authority> {
  const key = generateP256();
  return { key, certificate: await issueCertificate({ subject: { cn }, key, ca: { pathLength: 1 }, ...span() }) };
}

/** A device certificate for a key, with its intermediate and root. */
export async function makeDeviceCertificate(key: KeyObject): Promise<DeviceCertificate> {
  const root = await makeTestRoot('KiwiStack MSP Root');
  const intermediate = generateP256();
  const certificate = await issueCertificate({
    subject: { cn: 'Acme Intermediate', o: 'Acme' },
    key: intermediate,
    issuer: root,
    ca: { pathLength: 0 },
    ...span(),
  });
  const leaf = await issueCertificate({
    subject: { cn: 'anna-laptop', o: 'Acme', ou: 'engineer' },
    key,
    issuer: { certificate, key: intermediate },
    extendedKeyUsages: [EKU.clientAuth],
    sanUris: [deviceUri('anna-laptop', DEVICE_ID)],
    ...span(),
  });
  return { leaf, intermediate: certificate, roots: [root.certificate] };
}
