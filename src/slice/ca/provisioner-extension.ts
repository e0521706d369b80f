/** smallstep's X.509 extension that names the provisioner which issued a certificate. */
export const PROVISIONER_EXTENSION = '1.3.6.1.4.1.37476.9000.64.1';

/**
 * Content of that extension: SEQUENCE { INTEGER 1 (JWK), OCTET STRING name, OCTET STRING key id }. step-ca renews and
 * rekeys a certificate under the intermediate that lacks it, for anyone who holds its key. step-ca does not issue the
 * gateway's own certificate, so we have to add the extension there ourselves.
 */
export function provisionerExtension(name: string, keyId: string): Buffer {
  const body = Buffer.concat([Buffer.from([0x02, 0x01, 0x01]), octets(name), octets(keyId)]);
  return Buffer.concat([Buffer.from([0x30, shortLength(body.length)]), body]);
}

/** The provisioner's name in such an extension; undefined when the extension has a different structure. */
export function provisionerName(extension: Buffer): string | undefined {
  if (extension[0] !== 0x30 || extension[1] !== extension.length - 2) return undefined;
  if (extension[2] !== 0x02 || extension[3] !== 0x01 || extension[5] !== 0x04) return undefined;
  const length = extension[6];
  if (length === undefined || length > 0x7f || extension.length < 7 + length) return undefined;
  return extension.subarray(7, 7 + length).toString('utf8');
}

function octets(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  return Buffer.concat([Buffer.from([0x04, shortLength(bytes.length)]), bytes]);
}

function shortLength(length: number): number {
  if (length > 0x7f) throw new TypeError('longer than a short-form DER length');
  return length;
}
