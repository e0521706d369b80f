import type { KeyObject } from 'node:crypto';

import { isMissing } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { CertificateError, parseCertificate, parsePemBundle, type Certificate } from '../../pki/certificate.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { confinementFault } from '../../pki/confinement.ts';
import { issueCertificate } from '../../pki/issue.ts';
import { EKU, intermediateName } from '../../pki/roles.ts';
import { MAX_GIVEN } from '../../provider/request-file.ts';
import { readSliceFile } from '../config/read-slice-file.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/** The provider's answer: the intermediate alone, or with the root behind it. @throws KiwiError `intermediate-refused`, `usage` */
export async function readAnswer(file: string, root: Certificate): Promise<Certificate> {
  const pem = (await readGivenFile(file, { option: '--in', maxBytes: MAX_GIVEN })).toString('utf8');
  let certificates: Certificate[];
  try {
    certificates = parsePemBundle(pem);
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    throw new KiwiError('usage', { detail: '--in holds no certificates in PEM', cause: error });
  }
  const [intermediate, above, ...more] = certificates;
  if (intermediate === undefined || more.length > 0) {
    throw new KiwiError('usage', { detail: '--in is not an intermediate and its root in PEM' });
  }
  if (above !== undefined && !above.der.equals(root.der)) refuse("under another root than the slice's ca/root.crt");
  return intermediate;
}

/** Of the same customer as before, and limited to its names. @throws KiwiError `intermediate-refused` */
export function checkSubject(intermediate: Certificate, old: Certificate | undefined, { customer }: SliceConfig): void {
  const { o, cn } = intermediate.subject;
  if (o !== customer.name || cn !== intermediateName(customer.slug)) refuse('another customer');
  if (old !== undefined && !old.subjectDer.equals(intermediate.subjectDer))
    refuse("another subject than the old one's");
  const fault = confinementFault(intermediate);
  if (fault !== undefined) refuse(fault);
}

/** The slice can work with it: what signs grants, and what step-ca makes for itself, are valid under it. @throws KiwiError `intermediate-refused` */
export async function checkServes(
  authority: { readonly certificate: Certificate; readonly key: KeyObject },
  at: { readonly grant: Certificate; readonly root: Certificate; readonly config: SliceConfig; readonly now: Date },
): Promise<void> {
  for (const leaf of [at.grant, await serverCertificate(at.config, authority)]) {
    check({ leaf, intermediate: authority.certificate, roots: [at.root], at: at.now });
  }
}

/** As step-ca makes one for itself: it could not start if the intermediate did not permit its address. */
function serverCertificate(
  { inside }: SliceConfig,
  issuer: { readonly certificate: Certificate; readonly key: KeyObject },
): Promise<Certificate> {
  const { notBefore, notAfter } = issuer.certificate;
  const names = { subject: { cn: 'Step Online CA' }, sanIps: [inside.address], extendedKeyUsages: [EKU.serverAuth] };
  return issueCertificate({ ...names, key: issuer.key, issuer, notBefore, notAfter });
}

function check(chain: Parameters<typeof verifyChain>[0]): void {
  try {
    verifyChain(chain);
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    refuse(error.message, error);
  }
}

/** The certificate in a file of the slice; undefined where there is none. */
export async function certificateAt(file: string): Promise<Certificate | undefined> {
  try {
    return parseCertificate((await readSliceFile(file, { private: false })).toString('utf8'));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

export function refuse(detail: string, cause?: unknown): never {
  throw new KiwiError('intermediate-refused', { detail, cause });
}
