import { digest } from '../../core/bytes.ts';
import { KiwiError } from '../../core/errors.ts';
import { CertificateError, parsePemBundle, type Certificate } from '../../pki/certificate.ts';
import { decryptWith } from '../../pki/jwe.ts';
import { JoseError, openCompact } from '../../pki/jws.ts';
import { LIMITS, TYP } from '../../protocol/common.ts';
import { grant as schema, type Grant } from '../../protocol/grant.ts';
import { parseMessage } from '../../protocol/parse.ts';
import type { DeviceKey } from '../system/device-key.ts';
import { certificateOf, checkDeviceCertificate } from './check-device-certificate.ts';

/** What was requested; every part of the grant is compared with it. */
export interface GrantExpectation {
  readonly deviceKey: DeviceKey;
  readonly slug: string;
  readonly sessionId: string;
  /** SHA-256 of the JWE as sent, base64url. */
  readonly statementHash: string;
  readonly hostName: string;
  /** O and OU of the certificate on the key. */
  readonly customer: string;
  readonly role: string;
  /** The certificate that signed the challenge: the grant's signer must hold the same key. */
  readonly gateway: Certificate;
  readonly intermediate: Certificate;
  /** Pinned. */
  readonly roots: readonly Certificate[];
  /** The slice's time, by the newest one that it signed. */
  readonly now: Date;
  /** The confirmation may have been sent already, so its deadline no longer counts. */
  readonly confirmed?: boolean;
}

export interface CheckedGrant {
  readonly grant: Grant;
  /** SHA-256 of the JWE as received, base64url: what `confirm` names. */
  readonly hash: string;
  readonly certificate: Certificate;
  readonly intermediate: Certificate;
  readonly trustRoots: readonly Certificate[];
}

/**
 * Decrypts the grant and compares every part with the request before anything is applied.
 * @throws KiwiError `grant-invalid`, with the wrong part in its detail
 */
export async function checkGrant(jwe: string, expected: GrantExpectation): Promise<CheckedGrant> {
  const opened = await open(jwe, expected.deviceKey);
  const [signer, issuer] = opened.x5c;
  if (signer === undefined || issuer === undefined || opened.x5c.length !== 2) refuse('x5c');
  // Must be the challenge's certificate, whose chain and role are already checked.
  if (!signer.der.equals(expected.gateway.der)) refuse('signed by another certificate than the challenge');
  if (!issuer.der.equals(expected.intermediate.der)) refuse('another intermediate');
  if (!opened.verify(expected.gateway.publicKey)) refuse('signature');
  const grant = parseMessage(schema, opened.payload, LIMITS.grant, 'grant-invalid');

  if (grant.slug !== expected.slug) refuse('another customer');
  if (grant.sessionId !== expected.sessionId) refuse('another session');
  if (grant.statementHash !== expected.statementHash) refuse('another statement');
  if (!hostNameFits(grant.hostName, expected.hostName)) refuse('another host name');
  if (expected.confirmed !== true && new Date(grant.confirmBy) <= expected.now) refuse('its time to confirm is over');

  const { deviceId, hostName } = grant;
  const { leaf } = checkDeviceCertificate(grant.certificate, { ...expected, deviceId, hostName }, refuse);
  if (grant.certificate.customer !== expected.customer || grant.certificate.role !== expected.role) {
    refuse('customer or role');
  }
  const trustRoots = grant.certificate.trustRoots.map((der) => certificateOf(der, refuse));
  // Only roots that are pinned already may enter the system's trust store: a slice cannot add one of its own making.
  for (const root of trustRoots) {
    if (!expected.roots.some((pinned) => pinned.der.equals(root.der))) refuse('a trust root that is not pinned');
  }
  // A default route, or one nearly as wide, would send all traffic of a private laptop through the customer's network.
  for (const cidr of grant.wireguard.allowedCidrs) {
    if (Number(cidr.split('/')[1]) < 8) refuse('a route that is too wide');
  }
  if (!isPemBundle(grant.fleet.serverCa)) refuse("the Fleet server's CA");
  return { grant, hash: digest(jwe), certificate: leaf, intermediate: expected.intermediate, trustRoots };
}

/**
 * The requested name, or that name with a suffix of four hex digits when another laptop has it. A label has at most 63
 * characters, so a long name is cut to make room for the suffix.
 */
function hostNameFits(granted: string, asked: string): boolean {
  const stem = asked.slice(0, 58).replace(/-+$/, '');
  return granted === asked || (granted.startsWith(`${stem}-`) && /^[0-9a-f]{4}$/.test(granted.slice(stem.length + 1)));
}

async function open(jwe: string, deviceKey: DeviceKey): Promise<ReturnType<typeof openCompact>> {
  try {
    return openCompact((await decryptWith(deviceKey, jwe, TYP.grantEncrypted)).toString('utf8'), TYP.grant);
  } catch (error) {
    if (!(error instanceof JoseError)) throw error;
    throw new KiwiError('grant-invalid', { detail: error.message, cause: error });
  }
}

function isPemBundle(pem: string): boolean {
  try {
    return parsePemBundle(pem).length > 0;
  } catch (error) {
    if (!(error instanceof CertificateError)) throw error;
    return false;
  }
}

function refuse(detail: string, cause?: unknown): never {
  throw new KiwiError('grant-invalid', { detail, ...(cause === undefined ? {} : { cause }) });
}
