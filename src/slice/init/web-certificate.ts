import { mkdir } from 'node:fs/promises';
import { isIPv4 } from 'node:net';

import { writeDurableFile } from '../../core/durable-file.ts';
import { KiwiError } from '../../core/errors.ts';
import { readGivenFile } from '../../core/read-given-file.ts';
import { DAY, issueCertificate, YEAR } from '../../pki/issue.ts';
import { generateP256 } from '../../pki/keys.ts';
import { EKU } from '../../pki/roles.ts';
import type { SlicePaths } from '../config/slice-paths.ts';
import { webCertificateFault } from '../config/web-certificate-fault.ts';
import { MAX_GIVEN } from '../../provider/request-file.ts';
import { writeCertificate, writeKey } from './write-part.ts';

export interface WebCertificate {
  readonly certificate: Buffer;
  readonly key: Buffer;
}

/** The web certificate that the operator has. @throws KiwiError `usage`, naming the option, when it cannot work */
export async function readWebCertificate(
  files: { readonly certificateFile: string; readonly keyFile: string },
  gatewayUrl: string,
  now: Date,
): Promise<WebCertificate> {
  const certificate = await readGivenFile(files.certificateFile, { option: '--tls-cert', maxBytes: MAX_GIVEN });
  const key = await readGivenFile(files.keyFile, { option: '--tls-key', maxBytes: MAX_GIVEN });
  const fault = webCertificateFault({ certificate, key }, gatewayUrl, now);
  if (fault !== undefined) throw new KiwiError('usage', { detail: `${fault.option} is ${fault.why}` });
  return { certificate, key };
}

export async function writeWebCertificate(paths: SlicePaths, given: WebCertificate): Promise<void> {
  await writeDurableFile(paths.gateway.tlsCertificate, given.certificate, 0o600);
  await writeDurableFile(paths.gateway.tlsKey, given.key, 0o600);
}

/** A web CA that stands in for the public ones, and the gateway's certificate under it. */
export async function makeWebCertificate(paths: SlicePaths, gatewayUrl: string, now: Date): Promise<void> {
  const { hostname } = new URL(gatewayUrl);
  const notBefore = new Date(now.getTime() - DAY);
  const rootKey = generateP256();
  const root = await issueCertificate({
    subject: { cn: 'Web CA of a KiwiStack slice (stands in for the public web PKI)' },
    key: rootKey,
    notBefore,
    notAfter: new Date(now.getTime() + 5 * YEAR),
    ca: { pathLength: 0 },
  });
  const key = generateP256();
  const leaf = await issueCertificate({
    subject: { cn: hostname },
    key,
    issuer: { certificate: root, key: rootKey },
    notBefore,
    // Browsers and Apple's TLS refuse server certificates that are valid for more than 398 days.
    notAfter: new Date(now.getTime() + 390 * DAY),
    extendedKeyUsages: [EKU.serverAuth],
    ...(isIPv4(hostname) ? { sanIps: [hostname] } : { sanDns: [hostname] }),
  });
  await mkdir(paths.webCa.dir, { mode: 0o700 });
  await writeKey(paths.webCa.key, rootKey);
  await writeCertificate(paths.webCa.certificate, root);
  await writeKey(paths.gateway.tlsKey, key);
  await writeCertificate(paths.gateway.tlsCertificate, leaf);
}
