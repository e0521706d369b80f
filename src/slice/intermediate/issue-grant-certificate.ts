import type { KeyObject } from 'node:crypto';

import type { Certificate } from '../../pki/certificate.ts';
import { issueCertificate } from '../../pki/issue.ts';
import { EKU, enrollmentUri } from '../../pki/roles.ts';
import { provisionerExtension, PROVISIONER_EXTENSION } from '../ca/provisioner-extension.ts';
import { crlDistributionPoint, PROVISIONER } from '../ca/render-ca-config.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/** The certificate of the key that signs challenges and grants, valid as long as the intermediate. */
export function issueGrantCertificate(
  config: SliceConfig,
  grantKey: KeyObject,
  intermediate: { readonly certificate: Certificate; readonly key: KeyObject },
): Promise<Certificate> {
  const { slug, name } = config.customer;
  const { notBefore, notAfter } = intermediate.certificate;
  return issueCertificate({
    subject: { cn: `KiwiStack ${slug} gateway`, o: name },
    key: grantKey,
    issuer: intermediate,
    notBefore,
    notAfter,
    extendedKeyUsages: [EKU.gateway],
    sanUris: [enrollmentUri(slug)],
    crlUrl: crlDistributionPoint({ address: config.inside.address, crlPort: config.ca.crlPort }),
    extensions: [
      { oid: PROVISIONER_EXTENSION, value: provisionerExtension(PROVISIONER.yubikey, config.ca.yubikeyKid) },
    ],
  });
}
