import { execFileSync } from 'node:child_process';
import { X509Certificate } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { isIP } from 'node:net';
import { join } from 'node:path';
import { fleetFiles } from './files.ts';

const OPENSSL = '/usr/bin/openssl';
const DAY_MS = 86_400_000;

export interface ServerCertificate {
  readonly key: string;
  readonly cert: string;
}

/**
 * Makes the stand-in's own CA and its server certificate where they are missing, and reads the latter. The server
 * certificate is made anew when a wanted name is not in it or it is about to end; the CA never changes, because agents
 * hold it.
 */
export function prepareCertificates(dir: string, names: readonly string[]): ServerCertificate {
  mkdirSync(dir, { recursive: true, mode: 0o700 });
  const caPath = fleetFiles(dir).caPath;
  const caKeyPath = join(dir, 'ca.key');
  const keyPath = join(dir, 'server.key');
  const certPath = join(dir, 'server.crt');
  if (!existsSync(caPath)) {
    makeCertificate('/CN=Fleet stand-in CA', caKeyPath, caPath, [
      '-days',
      '3650',
      '-addext',
      'basicConstraints=critical,CA:TRUE,pathlen:0',
      '-addext',
      'keyUsage=critical,keyCertSign,cRLSign',
    ]);
  }
  if (!existsSync(certPath) || !serves(readFileSync(certPath, 'utf8'), names)) {
    makeCertificate('/CN=Fleet stand-in', keyPath, certPath, [
      '-days',
      '397',
      '-CA',
      caPath,
      '-CAkey',
      caKeyPath,
      '-addext',
      'basicConstraints=critical,CA:FALSE',
      '-addext',
      'keyUsage=critical,digitalSignature',
      '-addext',
      'extendedKeyUsage=serverAuth',
      '-addext',
      `subjectAltName=${names.map((name) => (isIP(name) ? `IP:${name}` : `DNS:${name}`)).join(',')}`,
    ]);
  }
  return { key: readFileSync(keyPath, 'utf8'), cert: readFileSync(certPath, 'utf8') };
}

/** openssl writes private keys 0600 by itself, so the key is never readable by others, not even for a moment. */
function makeCertificate(subject: string, keyPath: string, certPath: string, options: readonly string[]): void {
  execFileSync(
    OPENSSL,
    [
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-sha256'],
      ...['-config', '/dev/null', '-subj', subject, '-keyout', keyPath, '-out', certPath],
      ...options,
    ],
    { stdio: ['ignore', 'ignore', 'pipe'] },
  );
}

function serves(pem: string, names: readonly string[]): boolean {
  const certificate = new X509Certificate(pem);
  const outlivesTheDay = certificate.validToDate.getTime() > Date.now() + DAY_MS;
  return (
    outlivesTheDay &&
    names.every((name) => (isIP(name) ? certificate.checkIP(name) : certificate.checkHost(name)) !== undefined)
  );
}
