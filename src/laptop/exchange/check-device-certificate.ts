import { CertificateError, parseCertificate, type Certificate } from '../../pki/certificate.ts';
import { ChainError, verifyChain } from '../../pki/chain.ts';
import { spkiDer } from '../../pki/keys.ts';
import { deviceUri, EKU } from '../../pki/roles.ts';
import { DEVICE_CERTIFICATE_HOURS } from '../../protocol/common.ts';
import type { DeviceKey } from '../system/device-key.ts';

/** The life of a device certificate, the minute that step-ca backdates, and a little for rounding. */
const MAX_SPAN_MS = (DEVICE_CERTIFICATE_HOURS * 60 + 2) * 60_000;

/** What a device certificate must say: it is the same at the enrollment and at every renewal. */
export interface DeviceCertificateExpectation {
  readonly deviceKey: Pick<DeviceKey, 'publicKey'>;
  readonly slug: string;
  readonly deviceId: string;
  readonly hostName: string;
  /** O and OU of the certificate on the YubiKey. */
  readonly customer: string;
  readonly role: string;
  /** The certificate's issuer has to be exactly this one. */
  readonly intermediate: Certificate;
  /** Pinned. */
  readonly roots: readonly Certificate[];
  /** The slice's time. */
  readonly now: Date;
}

/**
 * Reads and checks a device certificate that the slice sent.
 *
 * @param sent its chain, DER as base64url, and when the laptop is to renew it
 * @param refuse reports what is wrong
 * @returns the certificate, and the root that its chain ends in
 */
export function checkDeviceCertificate(
  sent: { readonly chain: readonly string[]; readonly renewAfter: string },
  expected: DeviceCertificateExpectation,
  refuse: (detail: string, cause?: unknown) => never,
): { readonly leaf: Certificate; readonly root: Certificate } {
  const [leaf, intermediate] = sent.chain.map((der) => certificateOf(der, refuse));
  if (leaf === undefined || intermediate === undefined) return refuse('certificate chain');
  if (!intermediate.der.equals(expected.intermediate.der)) refuse('another intermediate');
  let root: Certificate;
  try {
    ({ root } = verifyChain({ leaf, intermediate, roots: expected.roots, at: expected.now }));
  } catch (error) {
    if (!(error instanceof ChainError)) throw error;
    return refuse(error.message, error);
  }
  if (!leaf.spki.equals(spkiDer(expected.deviceKey.publicKey))) refuse('certificate for another key');
  const { cn, o, ou } = leaf.subject;
  if (cn !== expected.hostName || o !== expected.customer || ou !== expected.role) refuse("the certificate's subject");
  if (leaf.extendedKeyUsages.length !== 1 || leaf.extendedKeyUsages[0] !== EKU.clientAuth) {
    refuse('extended key usage');
  }
  if (!leaf.sanUris.includes(deviceUri(expected.slug, expected.deviceId))) refuse('device URI');
  if (leaf.sanDns.some((name) => name !== expected.hostName)) refuse('DNS name');
  if (leaf.notAfter.getTime() - leaf.notBefore.getTime() > MAX_SPAN_MS) refuse('certificate lifetime');
  const renewAfter = new Date(sent.renewAfter);
  if (renewAfter < leaf.notBefore || renewAfter >= leaf.notAfter) refuse('renewal time');
  return { leaf, root };
}

/** One certificate of a message, DER as base64url. */
export function certificateOf(der: string, refuse: (detail: string, cause?: unknown) => never): Certificate {
  try {
    return parseCertificate(Buffer.from(der, 'base64url'));
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    return refuse('a certificate cannot be read', error);
  }
}
