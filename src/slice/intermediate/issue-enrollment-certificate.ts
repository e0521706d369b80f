import type { KeyObject } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { DAY, issueCertificate } from '../../pki/issue.ts';
import { EKU, enrollmentUri } from '../../pki/roles.ts';
import { algorithmFor } from '../../pki/signer.ts';
import { PROVISIONER_EXTENSION, provisionerExtension } from '../ca/provisioner-extension.ts';
import { crlDistributionPoint, PROVISIONER } from '../ca/render-ca-config.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/** As step-ca's, a year. */
const LIFE_MS = 365 * DAY;

/**
 * The certificate of a key that is registered, as step-ca would issue it. step-ca wants a request that the key has signed, with
 * the holder's PIN and touch; what the registry says of the key was proven by its attestation.
 *
 * @throws KiwiError `usage` for a key that is not P-256
 */
export function issueEnrollmentCertificate(
  config: SliceConfig,
  yubikey: { readonly serial: number; readonly role: string; readonly publicKey: KeyObject },
  intermediate: { readonly certificate: Certificate; readonly key: KeyObject },
  now: Date,
): Promise<Certificate> {
  const { serial, role, publicKey } = yubikey;
  if (algorithmFor(publicKey) !== 'ES256') {
    throw new KiwiError('usage', { detail: `the key of YubiKey ${serial} is not P-256: provision it anew` });
  }
  const { slug, name } = config.customer;
  const end = Math.min(now.getTime() + LIFE_MS, intermediate.certificate.notAfter.getTime());
  return issueCertificate({
    subject: { cn: `KiwiStack enrollment ${serial}`, o: name, ou: role },
    key: publicKey,
    issuer: intermediate,
    notBefore: new Date(Math.max(now.getTime() - 60_000, intermediate.certificate.notBefore.getTime())),
    notAfter: new Date(end),
    extendedKeyUsages: [EKU.enrollmentKey],
    sanUris: [enrollmentUri(slug), config.gateway.url],
    crlUrl: crlDistributionPoint({ address: config.inside.address, crlPort: config.ca.crlPort }),
    // Without it, step-ca would renew and rekey the certificate for whoever holds the key.
    extensions: [
      { oid: PROVISIONER_EXTENSION, value: provisionerExtension(PROVISIONER.yubikey, config.ca.yubikeyKid) },
    ],
  });
}
