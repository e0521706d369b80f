import { readIssuedCertificate, type CertificateHead } from '../../pki/issued-certificate.ts';
import { deviceUri } from '../../pki/roles.ts';
import type { SliceConfig } from '../config/slice-config.ts';
import type { CertificateAuthority } from './ca-client.ts';

/** What a device certificate says, all of it from the registry. */
export interface CertifiedDevice {
  readonly id: string;
  readonly hostName: string;
  readonly role: string;
}

/**
 * Has step-ca issue a device certificate, for an enrollment and for every renewal in the same way: step-ca's own renewal
 * would run neither the template nor any check (tls.go: Renew copies the old certificate).
 *
 * @param csr a verified request for the device's key, base64url
 * @throws KiwiError `ca-unavailable`, `csr-refused`
 */
export async function issueDeviceCertificate(
  ca: CertificateAuthority,
  customer: SliceConfig['customer'],
  device: CertifiedDevice,
  csr: string,
): Promise<CertificateHead> {
  const { id, hostName: host, role } = device;
  const pem = await ca.sign({
    csr: Buffer.from(csr, 'base64url'),
    subject: host,
    claims: { device: { host, role, customer: customer.name, uri: deviceUri(customer.slug, id) } },
  });
  return readIssuedCertificate(pem);
}

/** When a laptop renews its certificate: in the middle of its life, so that half of it is left for a slice that is down. */
export const renewAfter = ({ notBefore, notAfter }: CertificateHead): number =>
  (notBefore.getTime() + notAfter.getTime()) / 2;
