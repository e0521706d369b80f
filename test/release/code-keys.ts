import { readFile, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';

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

/** A time-stamp authority (RFC 3161) on this machine, whose certificate is by the same authority as the key. @returns its URL, and how it ends */
export async function serveTime(folder: string, name: string): Promise<{ url: string; close: () => void }> {
  const at = (suffix: string): string => path.join(folder, `${name}-${suffix}`);
  await run('/usr/bin/openssl', [
    ...[
      'req',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-keyout',
      at('time.key'),
      '-out',
      at('time.csr'),
      '-subj',
      `/CN=${name} time`,
    ],
  ]);
  await writeFile(
    at('time.ext'),
    'extendedKeyUsage=critical,timeStamping\nkeyUsage=critical,digitalSignature\nbasicConstraints=CA:FALSE\n',
  );
  const by = ['-CA', at('authority.pem'), '-CAkey', at('authority.key'), '-extfile', at('time.ext'), '-days', '8'];
  await run('/usr/bin/openssl', ['x509', '-req', '-in', at('time.csr'), ...by, '-out', at('time.crt')]);
  const settings = ['[tsa]', 'default_tsa=one', '[one]', `serial=${at('time.serial')}`, `crypto_device=builtin`];
  const more = [`signer_cert=${at('time.crt')}`, `certs=${at('authority.pem')}`, `signer_key=${at('time.key')}`];
  const rules = [
    'signer_digest=sha256',
    'default_policy=1.2.3.4',
    'digests=sha256',
    'ordering=no',
    'ess_cert_id_chain=no',
  ];
  await writeFile(at('time.cnf'), [...settings, ...more, ...rules, ''].join('\n'));
  await writeFile(at('time.serial'), '01\n');
  const server = createServer((request, response) => {
    void (async () => {
      const query = at('time.tsq');
      await writeFile(query, await buffer(request));
      const args = ['ts', '-reply', '-config', at('time.cnf'), '-queryfile', query, '-out', at('time.tsr')];
      await run('/usr/bin/openssl', args);
      response.setHeader('content-type', 'application/timestamp-reply');
      response.end(await readFile(at('time.tsr')));
    })().catch(() => response.writeHead(500).end());
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}/`, close: () => void server.close() };
}
