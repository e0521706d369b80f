/**
 * Extended key usages that distinguish the roles of KiwiStack's certificates, so that a device or YubiKey certificate
 * is never accepted as a gateway's. The arc 2.25 (ITU-T X.667) needs no registration. Its number is deliberately below
 * 2^31: with a whole UUID there, Go's crypto/x509 (and so step-ca) refuses the certificate with "invalid extended key
 * usages", as does anything that reads arcs as 32-bit integers.
 */
const ARC = '2.25.1183652417';

export const EKU = {
  /** Signs challenges and grants. */
  gateway: `${ARC}.1`,
  /** The certificate on a person's YubiKey. */
  enrollmentKey: `${ARC}.2`,
  /** The certificate on an operator's YubiKey. It enrolls nothing, and that of a member of staff operates nothing. */
  operatorKey: `${ARC}.3`,
  clientAuth: '1.3.6.1.5.5.7.3.2',
  serverAuth: '1.3.6.1.5.5.7.3.1',
  /** Allows every use (RFC 5280, section 4.2.1.12). */
  any: '2.5.29.37.0',
} as const;

/** CN of a customer's intermediate; its O is the customer's name. Both are what the root vouches for. */
export const intermediateName = (slug: string): string => `KiwiStack ${slug} intermediate`;

/** The URI in the certificate on a YubiKey that names its customer. */
export const enrollmentUri = (slug: string): string => `urn:kiwistack:customer:${slug}`;

/** The URI in the certificate on an operator's YubiKey that names the customer. */
export const operatorUri = (slug: string): string => `urn:kiwistack:operator:${slug}`;

const OPERATOR_NAME = /^KiwiStack operator ([a-z][a-z0-9._-]{1,31})$/u;

/** CN of an operator's certificate. */
export const operatorSubject = (name: string): string => `KiwiStack operator ${name}`;

/** The name of the operator whom a certificate names. */
export const operatorNameIn = (commonName: string | undefined): string | undefined =>
  OPERATOR_NAME.exec(commonName ?? '')?.[1];

/** The URI in a device certificate that names customer and device. */
export const deviceUri = (slug: string, deviceId: string): string => `urn:kiwistack:device:${slug}:${deviceId}`;

/** The slug and device id in a device certificate; undefined unless it has exactly one such URI. */
export function deviceNames(sanUris: readonly string[]): { slug: string; deviceId: string } | undefined {
  const prefix = deviceUri('', '').slice(0, -1);
  const [uri, ...others] = sanUris.filter((each) => each.startsWith(prefix));
  const [slug, deviceId, ...more] = uri?.slice(prefix.length).split(':') ?? [];
  if (slug === undefined || deviceId === undefined || others.length + more.length > 0) return undefined;
  return { slug, deviceId };
}

/**
 * The slug and gateway URL in the certificate on a YubiKey; undefined unless it has exactly one of each, the URL without a
 * path: those of kiwi/1 begin at the root of the server.
 */
export function enrollmentNames(sanUris: readonly string[]): { slug: string; gatewayUrl: string } | undefined {
  const prefix = enrollmentUri('');
  const slugs = sanUris.filter((uri) => uri.startsWith(prefix)).map((uri) => uri.slice(prefix.length));
  const urls = sanUris.filter((uri) => uri.startsWith('https://'));
  const [slug] = slugs;
  const [gatewayUrl] = urls;
  if (slug === undefined || gatewayUrl === undefined || slugs.length !== 1 || urls.length !== 1) return undefined;
  return isOrigin(gatewayUrl) ? { slug, gatewayUrl } : undefined;
}

function isOrigin(text: string): boolean {
  if (!URL.canParse(text)) return false;
  const { origin, href } = new URL(text);
  return href === `${origin}/`;
}
