import type { Certificate } from '../../pki/certificate.ts';
import { DAY, issueCertificate, YEAR } from '../../pki/issue.ts';
import { generateP256 } from '../../pki/keys.ts';
import { issueIntermediate } from '../../provider/issue-intermediate.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { issueGrantCertificate } from '../intermediate/issue-grant-certificate.ts';
import { scopeOf } from '../intermediate/scope-of.ts';
import { writeCertificate, writeKey } from './write-part.ts';

/**
 * A new provider's root (20 years) → the customer's intermediate (5 years), for the customer's names only → the
 * certificate that signs grants, valid as long as the intermediate.
 */
export async function makeAuthority(paths: SlicePaths, config: SliceConfig, now: Date): Promise<void> {
  const rootKey = generateP256();
  const root = await issueCertificate({
    subject: { cn: 'KiwiStack MSP root', o: 'KiwiStack' },
    key: rootKey,
    notBefore: new Date(now.getTime() - DAY),
    notAfter: new Date(now.getTime() + 20 * YEAR),
    ca: { pathLength: 1 },
  });
  const key = generateP256();
  const grantKey = generateP256();
  const certificate = await issueIntermediate(scopeOf(config), key, { certificate: root, key: rootKey }, now);
  await writeKey(paths.msp.key, rootKey);
  await writeRoot(paths, root);
  await writeKey(paths.ca.key, key);
  await writeCertificate(paths.ca.certificate, certificate);
  await writeKey(paths.gateway.key, grantKey);
  await writeCertificate(
    paths.gateway.certificate,
    await issueGrantCertificate(config, grantKey, { certificate, key }),
  );
}

/** The keys of a slice whose intermediate is signed elsewhere, by the root of a provider that has one already. */
export async function prepareAuthority(paths: SlicePaths, root: Certificate): Promise<void> {
  await writeRoot(paths, root);
  await writeKey(paths.ca.key, generateP256());
  await writeKey(paths.gateway.key, generateP256());
}

async function writeRoot(paths: SlicePaths, root: Certificate): Promise<void> {
  await writeCertificate(paths.msp.certificate, root);
  await writeCertificate(paths.ca.root, root);
}
