import type { KeyObject } from 'node:crypto';

import type { Certificate } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate, YEAR, type IssueInput } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { enrollmentUri, EKU, intermediateName } from '../../../src/pki/roles.ts';

/** The moment at which the tests happen; nothing in them looks at the true clock. */
export const NOW = new Date('2026-03-01T12:00:00.000Z');

export interface Authority {
  readonly certificate: Certificate;
  readonly key: KeyObject;
}

type Changes = Partial<IssueInput>;

/** Valid from a day before NOW to a year after it, for a fresh key, with what the test changes. */
export async function issue(cn: string, changes: Changes = {}): Promise<Authority> {
  const key = changes.key ?? generateP256();
  const span = { notBefore: new Date(NOW.getTime() - DAY), notAfter: new Date(NOW.getTime() + YEAR) };
  return { key, certificate: await issueCertificate({ subject: { cn }, ...span, ...changes, key }) };
}

export const makeRoot = (cn = 'Test MSP root', changes: Changes = {}): Promise<Authority> =>
  issue(cn, { ca: { pathLength: 1 }, ...changes });

export const makeIntermediate = (
  root: Authority,
  cn = intermediateName('acme'),
  changes: Changes = {},
): Promise<Authority> =>
  issue(cn, { subject: { cn, o: 'Acme GmbH' }, issuer: root, ca: { pathLength: 0 }, ...changes });

export const makeGateway = (intermediate: Authority, changes: Changes = {}): Promise<Authority> =>
  issue('acme gateway', { issuer: intermediate, extendedKeyUsages: [EKU.gateway], ...changes });

/** The certificate on a person's YubiKey. */
export const makeEnrollmentKey = (intermediate: Authority, changes: Changes = {}): Promise<Authority> =>
  issue('KiwiStack enrollment 12345678', {
    subject: { cn: 'KiwiStack enrollment 12345678', o: 'Acme GmbH', ou: 'engineer' },
    issuer: intermediate,
    extendedKeyUsages: [EKU.enrollmentKey],
    sanUris: [enrollmentUri('acme'), 'https://enroll.acme.example'],
    ...changes,
  });
