import { KiwiError } from '../core/errors.ts';
import type { Certificate } from '../pki/certificate.ts';
import type { Issuer } from '../pki/issue.ts';
import { issueRevocationList, MAX_LIST, type RevocationList, type RevocationReason } from '../pki/revocation-list.ts';
import { keySigner } from '../pki/signer.ts';

/**
 * The root's next revocation list: what was on the last one, and these certificates. Nothing is ever taken off it, so that a
 * list that somebody kept back shows less, and never something else.
 *
 * @param before the last list; absent for a root that has taken nothing back yet
 * @throws KiwiError `usage`
 */
export async function revoke(
  root: Issuer,
  before: RevocationList | undefined,
  certificates: readonly { readonly certificate: Certificate; readonly reason: RevocationReason }[],
  times: { readonly now: Date; readonly nextUpdate: Date },
): Promise<RevocationList> {
  if (before?.isSignedBy(root.certificate) === false) {
    throw new KiwiError('usage', { detail: '--list is not a list of --root-certificate' });
  }
  const fresh = certificates.filter(({ certificate }) => {
    if (!certificate.issuerDer.equals(root.certificate.subjectDer) || !certificate.isSignedBy(root.certificate)) {
      throw new KiwiError('usage', { detail: '--certificate was not issued by --root-certificate' });
    }
    if (certificate.isSignedBy(certificate))
      throw new KiwiError('usage', { detail: '--certificate is the root itself' });
    return before?.revokes(certificate) !== true;
  });
  const revoked = [
    ...(before?.revoked ?? []),
    ...fresh.map(({ certificate, reason }) => ({ serialHex: certificate.serialHex, at: times.now, reason })),
  ];
  try {
    return await issueRevocationList({
      issuer: root.certificate,
      signer: root.signer ?? keySigner(root.key),
      number: (before?.number ?? 0) + 1,
      thisUpdate: times.now,
      nextUpdate: times.nextUpdate,
      revoked,
    });
  } catch (error) {
    if (!(error instanceof Error) || error.name !== 'RevocationListError') throw error;
    throw new KiwiError('usage', { detail: `the list would be larger than ${MAX_LIST} bytes`, cause: error });
  }
}
