import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';

import { run } from './run-dist.ts';

export interface CodeKeys {
  /** PEM: of the authority. */
  readonly authority: string;
  /** Certificate, authority and key, in PEM. */
  readonly pem: string;
  readonly pkcs12: string;
  readonly passwordFile: string;
}

const PASSWORD = 'only for tests';

/** A key and a certificate for signing code, by an authority of their own. */
export async function makeCodeKeys(folder: string, name: string): Promise<CodeKeys> {
  const at = (suffix: string): string => path.join(folder, `${name}-${suffix}`);
  const openssl = (...args: string[]): Promise<unknown> => run('/usr/bin/openssl', args);
  const authority = at('authority.pem');
  const made = ['-newkey', 'rsa:2048', '-nodes', '-keyout'];
  await openssl(
    'req',
    '-x509',
    ...made,
    at('authority.key'),
    '-out',
    authority,
    '-subj',
    `/CN=${name} authority`,
    '-days',
    '9',
  );
  await openssl('req', ...made, at('code.key'), '-out', at('code.csr'), '-subj', `/CN=${name} code`);
  await writeFile(
    at('code.ext'),
    'keyUsage=digitalSignature\nextendedKeyUsage=codeSigning\nbasicConstraints=CA:FALSE\n',
  );
  const by = ['-CA', authority, '-CAkey', at('authority.key'), '-extfile', at('code.ext'), '-days', '8'];
  await openssl('x509', '-req', '-in', at('code.csr'), ...by, '-out', at('code.crt'));
  const passwordFile = at('password');
  await writeFile(passwordFile, PASSWORD);
  const parts = ['-in', at('code.crt'), '-inkey', at('code.key'), '-certfile', authority];
  await openssl('pkcs12', '-export', ...parts, '-passout', `file:${passwordFile}`, '-out', at('code.p12'));
  const texts = await Promise.all([at('code.crt'), authority, at('code.key')].map((file) => readFile(file, 'utf8')));
  await writeFile(at('code.pem'), texts.join(''));
  return { authority, pem: at('code.pem'), pkcs12: at('code.p12'), passwordFile };
}
