import { createPrivateKey } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { parseCertificate } from '../../src/pki/certificate.ts';
import { DAY, issueCertificate } from '../../src/pki/issue.ts';
import { generateP256 } from '../../src/pki/keys.ts';
import { EKU } from '../../src/pki/roles.ts';
import { readSliceConfig } from '../../src/slice/config/slice-config.ts';
import { slicePaths } from '../../src/slice/config/slice-paths.ts';
import type { Room } from '../lab/lab.ts';
import { startInRoom, type LongRunning } from './long-running.ts';

/**
 * An HTTPS host that answers only inside, at 10.77.1.30, with a certificate by the customer's intermediate: an enrolled
 * laptop can reach it and trusts it, any other laptop can do neither.
 */
export async function startIntranet(inside: Room, sliceDir: string, privateDir: string): Promise<LongRunning> {
  const dir = path.join(privateDir, 'intranet');
  await mkdir(dir, { recursive: true, mode: 0o700 });
  const { ca } = slicePaths(sliceDir);
  const issuer = {
    certificate: parseCertificate(await readFile(ca.certificate, 'utf8')),
    key: createPrivateKey(await readFile(ca.key, 'utf8')),
  };
  // The intermediate permits the domains that the slice was made for, and no others.
  const { domains } = (await readSliceConfig(sliceDir)).inside.dns;
  const key = generateP256();
  const certificate = await issueCertificate({
    subject: { cn: 'Intranet' },
    key,
    issuer,
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + 30 * DAY),
    extendedKeyUsages: [EKU.serverAuth],
    sanDns: domains.map((domain) => `intranet.${domain}`),
    sanIps: ['10.77.1.30'],
  });
  await writeFile(path.join(dir, 'tls.crt'), certificate.pem + issuer.certificate.pem);
  await writeFile(path.join(dir, 'tls.key'), key.export({ type: 'pkcs8', format: 'pem' }), { mode: 0o600 });
  const argv = [process.execPath, path.join(import.meta.dirname, 'intranet-host.ts'), dir];
  return startInRoom(inside, argv, {
    what: 'the intranet host',
    logFile: path.join(privateDir, 'logs', 'intranet.log'),
  });
}
