import { createPrivateKey } from 'node:crypto';
import { readFile, writeFile } from 'node:fs/promises';

import { parseCertificate } from '../../../src/pki/certificate.ts';
import { DAY, issueCertificate, type IssueInput } from '../../../src/pki/issue.ts';
import { generateP256 } from '../../../src/pki/keys.ts';
import { EKU } from '../../../src/pki/roles.ts';
import { slicePaths } from '../../../src/slice/config/slice-paths.ts';
import type { Customer, Seat } from './customer.ts';

/** What happens on a laptop when somebody has the key of the customer's intermediate and answers for a website. */
export interface Visit {
  /** curl's exit code: 0, or 60 for a certificate that it does not trust. */
  readonly curl: number;
  /** What `openssl verify` says, with the system's roots. */
  readonly openssl: string;
}

/** A server on the laptop itself, with a certificate by the customer's intermediate, visited under a name or address. */
export async function visitFalseWebsite(
  customer: Customer,
  { laptop }: Seat,
  host: string,
  names: Pick<IssueInput, 'subject' | 'sanDns' | 'sanIps'>,
): Promise<Visit> {
  const { ca } = slicePaths(customer.world.sliceDir);
  const issuer = {
    certificate: parseCertificate(await readFile(ca.certificate, 'utf8')),
    key: createPrivateKey(await readFile(ca.key)),
  };
  const key = generateP256();
  const leaf = await issueCertificate({
    ...names,
    key,
    issuer,
    notBefore: new Date(Date.now() - DAY),
    notAfter: new Date(Date.now() + DAY),
    extendedKeyUsages: [EKU.serverAuth],
  });
  await writeFile(laptop.path('/tmp/leaf.pem'), leaf.pem);
  await writeFile(laptop.path('/tmp/above.pem'), issuer.certificate.pem);
  await writeFile(laptop.path('/tmp/leaf.key'), key.export({ type: 'pkcs8', format: 'pem' }));
  const { stdout, stderr } = await laptop.run(['/bin/sh', '-c', SCRIPT, 'visit', host]);
  const [, curl] = /^curl (\d+)$/m.exec(stdout) ?? [];
  if (curl === undefined) throw new Error(`the website could not be visited: ${stdout}${stderr}`);
  return { curl: Number(curl), openssl: stdout + stderr };
}

/** `-connect-to` leads every name to the server, and an address needs none. */
const SCRIPT = `cd /tmp
  openssl s_server -accept 127.0.0.1:4433 -cert leaf.pem -key leaf.key -cert_chain above.pem -www -quiet >/dev/null 2>&1 &
  server=$!
  for _ in 1 2 3 4 5 6 7 8 9 10; do
    curl -sk --max-time 2 -o /dev/null https://127.0.0.1:4433/ && break
    sleep 0.2
  done
  curl -sS --max-time 5 -o /dev/null --connect-to ::127.0.0.1:4433 "https://$1/"
  echo "curl $?"
  openssl verify -CAfile /etc/ssl/certs/ca-certificates.crt -untrusted above.pem leaf.pem
  kill $server
  rm -f leaf.pem leaf.key above.pem`;
