import { createPrivateKey, type KeyObject } from 'node:crypto';

import type { Clock } from '../../core/clock.ts';
import { isMissing, writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { CertificateError, parseCertificate, parsePemBundle, type Certificate } from '../../pki/certificate.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { confinementFault } from '../../pki/confinement.ts';
import { issueCertificate } from '../../pki/issue.ts';
import { spkiDer } from '../../pki/keys.ts';
import { EKU, intermediateName } from '../../pki/roles.ts';
import { renewTemplates } from '../ca/renew-templates.ts';
import { readSliceConfig, type SliceConfig } from '../config/slice-config.ts';
import { readPart } from '../config/slice-identity.ts';
import { readSliceFile } from '../config/read-slice-file.ts';
import { slicePaths } from '../config/slice-paths.ts';
import { issueGrantCertificate } from './issue-grant-certificate.ts';
import { MAX_GIVEN } from './request-file.ts';

/**
 * Takes the provider's answer: checks that the slice can work with this intermediate and that what the old one issued
 * stays valid under it, then puts it in the old one's place, which is kept as `intermediate.previous.crt`. Repeated
 * after an interruption, it completes what is missing.
 *
 * @throws KiwiError `intermediate-refused`, `usage`
 */
export async function installAnswer(dir: string, file: string, clock: Clock): Promise<Certificate> {
  const paths = slicePaths(dir);
  const config = await readSliceConfig(dir);
  const root = parseCertificate((await readPart(paths.ca.root)).toString('utf8'));
  const key = createPrivateKey(await readPart(paths.ca.key, true));
  const grantKey = createPrivateKey(await readPart(paths.gateway.key, true));
  const intermediate = readAnswer(
    (await readGivenFile(file, { option: '--in', maxBytes: MAX_GIVEN })).toString('utf8'),
    root,
  );

  const { o, cn } = intermediate.subject;
  const old = await certificateAt(paths.ca.certificate);
  if (!intermediate.spki.equals(spkiDer(key))) refuse("for another key than the slice's ca/intermediate.key");
  if (o !== config.customer.name || cn !== intermediateName(config.customer.slug)) refuse('another customer');
  if (old !== undefined && !old.subjectDer.equals(intermediate.subjectDer))
    refuse("another subject than the old one's");
  const fault = confinementFault(intermediate);
  if (fault !== undefined) refuse(fault);
  const authority = { certificate: intermediate, key };
  const grant =
    (await certificateAt(paths.gateway.certificate)) ?? (await issueGrantCertificate(config, grantKey, authority));
  for (const leaf of [grant, await serverCertificate(config, authority)]) {
    check({ leaf, intermediate, roots: [root], at: new Date(clock.now()) });
  }

  // The templates first: they suit the old intermediate as well, and the new one refuses what the old templates make.
  const ca = (await readPart(paths.ca.config, true)).toString('utf8');
  await writeDurableFile(paths.ca.config, renewTemplates(ca, config), 0o600);
  await writeDurableFile(paths.gateway.certificate, grant.pem, 0o644);
  if (old !== undefined && !old.der.equals(intermediate.der)) {
    await writeDurableFile(paths.ca.previous, old.pem, 0o644);
  }
  await writeDurableFile(paths.ca.certificate, intermediate.pem, 0o644);
  return intermediate;
}

/** The intermediate alone, or with the root behind it. */
function readAnswer(pem: string, root: Certificate): Certificate {
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

async function certificateAt(file: string): Promise<Certificate | undefined> {
  try {
    return parseCertificate((await readSliceFile(file, { private: false })).toString('utf8'));
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}

function refuse(detail: string, cause?: unknown): never {
  throw new KiwiError('intermediate-refused', { detail, cause });
}
