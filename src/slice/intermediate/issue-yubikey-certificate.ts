import type { KeyObject } from 'node:crypto';

import { KiwiError } from '../../core/errors.ts';
import type { Certificate } from '../../pki/certificate.ts';
import { DAY, issueCertificate } from '../../pki/issue.ts';
import { EKU, enrollmentUri, operatorSubject, operatorUri } from '../../pki/roles.ts';
import { algorithmFor } from '../../pki/signer.ts';
import { PROVISIONER_EXTENSION, provisionerExtension } from '../ca/provisioner-extension.ts';
import { crlDistributionPoint, PROVISIONER } from '../ca/render-ca-config.ts';
import type { SliceConfig } from '../config/slice-config.ts';

/** As step-ca's, a year. */
const LIFE_MS = 365 * DAY;

/** Whose key it is: of a member of staff, who enrolls laptops with it, or of an operator. */
export type Holder =
  | { readonly enrolls: { readonly serial: number; readonly role: string } }
  | { readonly operates: { readonly name: string; readonly role: string } };

/**
 * The certificate of a key in a YubiKey that is registered, as step-ca would issue it. step-ca wants a request that the key has signed,
 * with the holder's PIN and touch; what the registry says of the key was proven by its attestation.
 *
 * @throws KiwiError `usage` for a key that is not P-256
 */
export function issueYubikeyCertificate(
  config: SliceConfig,
  { holder, publicKey }: { readonly holder: Holder; readonly publicKey: KeyObject },
  intermediate: { readonly certificate: Certificate; readonly key: KeyObject },
  now: Date,
): Promise<Certificate> {
  const { cn, ou, ...names } = namesOf(holder, config);
  if (algorithmFor(publicKey) !== 'ES256') {
    throw new KiwiError('usage', { detail: `${cn}: its key is not P-256, and has to be made anew` });
  }
  const end = Math.min(now.getTime() + LIFE_MS, intermediate.certificate.notAfter.getTime());
  return issueCertificate({
    subject: { cn, o: config.customer.name, ou },
    key: publicKey,
    issuer: intermediate,
    notBefore: new Date(Math.max(now.getTime() - 60_000, intermediate.certificate.notBefore.getTime())),
    notAfter: new Date(end),
    ...names,
    crlUrl: crlDistributionPoint({ address: config.inside.address, crlPort: config.ca.crlPort }),
    // Without it, step-ca would renew and rekey the certificate for whoever holds the key.
    extensions: [
      { oid: PROVISIONER_EXTENSION, value: provisionerExtension(PROVISIONER.yubikey, config.ca.yubikeyKid) },
    ],
  });
}

function namesOf(holder: Holder, { customer: { slug }, gateway }: SliceConfig) {
  if ('operates' in holder) {
    const { name, role } = holder.operates;
    return {
      ...{ cn: operatorSubject(name), ou: role },
      ...{ extendedKeyUsages: [EKU.operatorKey], sanUris: [operatorUri(slug)] },
    };
  }
  const { serial, role } = holder.enrolls;
  return {
    ...{ cn: `KiwiStack enrollment ${serial}`, ou: role },
    ...{ extendedKeyUsages: [EKU.enrollmentKey], sanUris: [enrollmentUri(slug), gateway.url] },
  };
}
