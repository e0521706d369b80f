import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { parseCertificate } from '../../src/pki/certificate.ts';
import { DAY, issueCertificate } from '../../src/pki/issue.ts';
import { generateP256 } from '../../src/pki/keys.ts';
import { EKU } from '../../src/pki/roles.ts';
import { slicePaths } from '../../src/slice/config/slice-paths.ts';

export interface InsideHost {
  readonly cn: string;
  /** Of the domains that the slice was made for: the intermediate permits no others. */
  readonly names: readonly string[];
  readonly ip: string;
}

/** Gives a host inside a certificate by the customer's intermediate, which enrolled laptops trust: `tls.crt` and `tls.key` in `dir`. */
export async function certifyInside(sliceDir: string, { cn, names, ip }: InsideHost, dir: string): Promise<void> {
  const { ca } = slicePaths(sliceDir);
  const issuer = {
    certificate: parseCertificate(await readFile(ca.certificate, 'utf8')),
    key: createPrivateKey(await readFile(ca.key, 'utf8')),
  };
  const key = generateP256();
  const certificate = await issueCertificate({
    subject: { cn },
    key,
    issuer,
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + 30 * DAY),
    extendedKeyUsages: [EKU.serverAuth],
    sanDns: names,
    sanIps: [ip],
  });
  await writeFile(path.join(dir, 'tls.crt'), certificate.pem + issuer.certificate.pem);
  await writeFile(path.join(dir, 'tls.key'), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
}
