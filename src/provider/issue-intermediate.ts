import type { KeyObject } from 'node:crypto';

import { KiwiError } from '../core/errors.ts';
import type { Certificate } from '../pki/certificate.ts';
import { CONFINED_USAGES, confinementFault, confinementOf } from '../pki/confinement.ts';
import { DAY, issueCertificate, YEAR, type Issuer } from '../pki/issue.ts';
import { NAME_CONSTRAINTS, renderNameConstraints } from '../pki/name-constraints.ts';
import { intermediateName } from '../pki/roles.ts';

/** What an intermediate is for: the customer, and the names and addresses that it may certify. */
export interface IntermediateScope {
  readonly customer: { readonly slug: string; readonly name: string };
  readonly domains: readonly string[];
  /** IPv4, as CIDR. */
  readonly networks: readonly string[];
}

/** A grant holds certificates of at most this size. */
const MAX_DER = 4096;
/** Five years, where nobody says less. */
const LIFE_MS = 5 * YEAR;

/**
 * Issues a customer's intermediate for its life, or as long as the root is valid: one CA, with none below it, for the
 * customer's names only.
 *
 * @throws KiwiError `usage` when the names do not limit it
 */
export async function issueIntermediate(
  scope: IntermediateScope,
  publicKey: KeyObject,
  root: Issuer,
  now: Date,
  lifeMs = LIFE_MS,
): Promise<Certificate> {
  const end = Math.min(now.getTime() + lifeMs, root.certificate.notAfter.getTime());
  const certificate = await issueCertificate({
    subject: { cn: intermediateName(scope.customer.slug), o: scope.customer.name },
    key: publicKey,
    issuer: root,
    notBefore: new Date(Math.max(now.getTime() - DAY, root.certificate.notBefore.getTime())),
    notAfter: new Date(end),
    ca: { pathLength: 0 },
    extendedKeyUsages: CONFINED_USAGES,
    extensions: [{ oid: NAME_CONSTRAINTS, value: renderNameConstraints(confinementOf(scope)), critical: true }],
  });
  const fault = confinementFault(certificate);
  if (fault !== undefined)
    throw new KiwiError('usage', {
      detail: `--role-domains and --inside-cidrs do not limit the intermediate: ${fault}`,
    });
  if (certificate.der.length > MAX_DER) throw new KiwiError('usage', { detail: '--role-domains are too many' });
  return certificate;
}
