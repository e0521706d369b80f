import { createPrivateKey } from 'node:crypto';

import { DAY, issueCertificate } from '../../pki/issue.ts';
import { generateP256 } from '../../pki/keys.ts';
import { EKU } from '../../pki/roles.ts';
import { readPart } from '../config/slice-identity.ts';
import type { OperatorParts } from '../operator/verbs/handlers.ts';

/**
 * The TLS certificate of the API, under the provider's root that operators' programs pin, for the inside address alone. Its key is never on
 * the disk, so it is made anew at each start, and the key of the intermediate is read for this moment only.
 */
export async function makeServerCertificate({
  paths,
  config,
  identity,
  clock,
}: Pick<OperatorParts, 'paths' | 'config' | 'identity' | 'clock'>): Promise<{ cert: string; key: string }> {
  const key = generateP256();
  const { intermediate } = identity;
  const certificate = await issueCertificate({
    subject: { cn: `KiwiStack ${config.customer.slug} operator API`, o: config.customer.name },
    key,
    issuer: { certificate: intermediate, key: createPrivateKey(await readPart(paths.ca.key, true)) },
    notBefore: new Date(Math.max(intermediate.notBefore.getTime(), clock.now() - DAY)),
    notAfter: intermediate.notAfter,
    extendedKeyUsages: [EKU.serverAuth],
    sanIps: [config.inside.address],
  });
  return {
    cert: `${certificate.pem}${intermediate.pem}`,
    key: key.export({ type: 'pkcs8', format: 'pem' }) as string,
  };
}
